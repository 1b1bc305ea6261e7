//! SeaORM, as its own tutorial writes it: entities, active models, a transaction.

use std::process::ExitCode;

use peer_worker::{CREATE_TABLE, DROP_TABLE, NewPlayer, Peer, Result, Server, Trade, serve};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, QueryOrder as _, QuerySelect as _, Set, TransactionTrait as _,
    entity::prelude::*,
};

mod player {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, DeriveEntityModel)]
    #[sea_orm(table_name = "players")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        #[sea_orm(unique)]
        pub name: String,
        pub coins: i32,
        pub goods: i32,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

fn main() -> ExitCode {
    serve("SeaORM 2.0.4 on sqlx 0.9.0", async |server: Server| {
        let Server { host, port, user, password, database, pool } = server;
        let mut options =
            ConnectOptions::new(format!("mysql://{user}:{password}@{host}:{port}/{database}?ssl-mode=DISABLED"));
        options.max_connections(u32::try_from(pool)?).sqlx_logging(false);
        Ok(Players(Database::connect(options).await?))
    })
}

#[derive(Clone)]
struct Players(DatabaseConnection);

fn new(NewPlayer { name, coins, goods }: NewPlayer) -> player::ActiveModel {
    player::ActiveModel { name: Set(name), coins: Set(coins), goods: Set(goods), ..Default::default() }
}

fn found(player::Model { id, name, coins, goods }: player::Model) -> peer_worker::Player {
    peer_worker::Player { id, name, coins, goods }
}

impl Peer for Players {
    async fn create_table(&self) -> Result<()> {
        self.0.execute_unprepared(CREATE_TABLE).await?;
        Ok(())
    }

    async fn drop_table(&self) -> Result<()> {
        self.0.execute_unprepared(DROP_TABLE).await?;
        Ok(())
    }

    async fn create(&self, player: NewPlayer) -> Result<i64> {
        Ok(new(player).insert(&self.0).await?.id)
    }

    async fn create_many(&self, players: Vec<NewPlayer>) -> Result<()> {
        player::Entity::insert_many(players.into_iter().map(new)).exec(&self.0).await?;
        Ok(())
    }

    async fn find(&self, id: i64) -> Result<Option<peer_worker::Player>> {
        Ok(player::Entity::find_by_id(id).one(&self.0).await?.map(found))
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<peer_worker::Player>> {
        Ok(player::Entity::find().filter(player::Column::Name.eq(name)).one(&self.0).await?.map(found))
    }

    async fn list(&self, limit: u32) -> Result<Vec<peer_worker::Player>> {
        let first = player::Entity::find().order_by_asc(player::Column::Id).limit(u64::from(limit));
        Ok(first.all(&self.0).await?.into_iter().map(found).collect())
    }

    async fn count(&self) -> Result<u64> {
        Ok(player::Entity::find().count(&self.0).await?)
    }

    async fn trade(&self, Trade { buyer, seller, goods, price }: Trade) -> Result<bool> {
        let transaction = self.0.begin().await?;
        let lock = |id| player::Entity::find_by_id(id).lock_exclusive().one(&transaction);
        let buyer = lock(buyer).await?.ok_or("no buyer")?;
        if buyer.coins < price {
            transaction.rollback().await?;
            return Ok(false);
        }
        let seller = lock(seller).await?.ok_or("no seller")?;
        if seller.goods < goods {
            transaction.rollback().await?;
            return Ok(false);
        }
        let (coins, stock) = (buyer.coins - price, buyer.goods + goods);
        let mut buyer: player::ActiveModel = buyer.into();
        (buyer.coins, buyer.goods) = (Set(coins), Set(stock));
        buyer.update(&transaction).await?;
        let (coins, stock) = (seller.coins + price, seller.goods - goods);
        let mut seller: player::ActiveModel = seller.into();
        (seller.coins, seller.goods) = (Set(coins), Set(stock));
        seller.update(&transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn close(self) -> Result<()> {
        Ok(self.0.close().await?)
    }
}
