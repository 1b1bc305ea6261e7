//! Diesel, asynchronous through diesel-async, with the bb8 pool of its own guide.

use std::process::ExitCode;

use diesel::{define_sql_function, insert_into, prelude::*, result::Error as DieselError, update};
use diesel_async::{
    AsyncConnection as _, AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection as _,
    pooled_connection::{
        AsyncDieselConnectionManager,
        bb8::{Pool, PooledConnection},
    },
};
use peer_worker::{CREATE_TABLE, DROP_TABLE, NewPlayer, Peer, Result, Server, Trade, serve};

table! {
    players {
        id -> BigInt,
        name -> Varchar,
        coins -> Integer,
        goods -> Integer,
    }
}

define_sql_function! {
    fn last_insert_id() -> Unsigned<BigInt>;
}

#[derive(Insertable)]
#[diesel(table_name = players)]
struct New {
    name: String,
    coins: i32,
    goods: i32,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = players)]
struct Player {
    id: i64,
    name: String,
    coins: i32,
    goods: i32,
}

fn main() -> ExitCode {
    serve("Diesel 2.3.14, diesel-async 0.9.2 on mysql_async 0.36.2", async |server: Server| {
        let Server { host, port, user, password, database, pool } = server;
        // Without `prefer_socket`, it would leave the way that is measured.
        let url = format!("mysql://{user}:{password}@{host}:{port}/{database}?prefer_socket=false");
        let manager = AsyncDieselConnectionManager::<AsyncMysqlConnection>::new(url);
        Ok(Players(Pool::builder().max_size(u32::try_from(pool)?).build(manager).await?))
    })
}

#[derive(Clone)]
struct Players(Pool<AsyncMysqlConnection>);

impl Players {
    async fn connection(&self) -> Result<PooledConnection<'_, AsyncMysqlConnection>> {
        Ok(self.0.get().await?)
    }
}

impl From<NewPlayer> for New {
    fn from(NewPlayer { name, coins, goods }: NewPlayer) -> Self {
        Self { name, coins, goods }
    }
}

impl From<Player> for peer_worker::Player {
    fn from(Player { id, name, coins, goods }: Player) -> Self {
        Self { id, name, coins, goods }
    }
}

impl Peer for Players {
    async fn create_table(&self) -> Result<()> {
        Ok(self.connection().await?.batch_execute(CREATE_TABLE).await?)
    }

    async fn drop_table(&self) -> Result<()> {
        Ok(self.connection().await?.batch_execute(DROP_TABLE).await?)
    }

    async fn create(&self, player: NewPlayer) -> Result<i64> {
        let mut connection = self.connection().await?;
        insert_into(players::table).values(New::from(player)).execute(&mut connection).await?;
        let id: u64 = diesel::select(last_insert_id()).get_result(&mut connection).await?;
        Ok(i64::try_from(id)?)
    }

    async fn create_many(&self, players: Vec<NewPlayer>) -> Result<()> {
        let rows = Vec::from_iter(players.into_iter().map(New::from));
        insert_into(players::table).values(rows).execute(&mut self.connection().await?).await?;
        Ok(())
    }

    async fn find(&self, id: i64) -> Result<Option<peer_worker::Player>> {
        let player = players::table.find(id).select(Player::as_select());
        Ok(player.first(&mut self.connection().await?).await.optional()?.map(Into::into))
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<peer_worker::Player>> {
        let player = players::table.filter(players::name.eq(name)).select(Player::as_select());
        Ok(player.first(&mut self.connection().await?).await.optional()?.map(Into::into))
    }

    async fn list(&self, limit: u32) -> Result<Vec<peer_worker::Player>> {
        let first = players::table.order(players::id).limit(i64::from(limit)).select(Player::as_select());
        Ok(first.load(&mut self.connection().await?).await?.into_iter().map(Into::into).collect())
    }

    async fn count(&self) -> Result<u64> {
        let count: i64 = players::table.count().get_result(&mut self.connection().await?).await?;
        Ok(u64::try_from(count)?)
    }

    async fn trade(&self, Trade { buyer, seller, goods, price }: Trade) -> Result<bool> {
        use crate::players::dsl::{coins, goods as stock, players};
        let mut connection = self.connection().await?;
        let traded = connection.transaction(async |connection| {
            let available: i32 = players.find(buyer).select(coins).for_update().first(connection).await?;
            if available < price {
                return Err(DieselError::RollbackTransaction);
            }
            let available: i32 = players.find(seller).select(stock).for_update().first(connection).await?;
            if available < goods {
                return Err(DieselError::RollbackTransaction);
            }
            let changes = (coins.eq(coins - price), stock.eq(stock + goods));
            update(players.find(buyer)).set(changes).execute(connection).await?;
            let changes = (coins.eq(coins + price), stock.eq(stock - goods));
            update(players.find(seller)).set(changes).execute(connection).await?;
            Ok(())
        });
        match traded.await {
            Ok(()) => Ok(true),
            Err(DieselError::RollbackTransaction) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}
