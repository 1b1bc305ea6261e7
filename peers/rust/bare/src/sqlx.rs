use peer_worker::{CREATE_TABLE, DROP_TABLE, NewPlayer, Peer, Player, Result, Server, Trade};
use sqlx::{
    FromRow, MySqlPool, Row as _,
    mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlRow, MySqlSslMode},
};

use crate::{COUNT, FIND, FIND_BY_NAME, INSERT, LIST, LOCK, MOVE, insert_many};

#[derive(Clone)]
pub(crate) struct Players(MySqlPool);

impl Players {
    pub(crate) async fn connect(server: Server, tuned: bool) -> Result<Self> {
        let mut options = MySqlConnectOptions::new()
            .host(&server.host)
            .port(server.port)
            .username(&server.user)
            .database(&server.database)
            .ssl_mode(MySqlSslMode::Disabled);
        // The driver answers with a hash even of an empty password, which servers refuse.
        if !server.password.is_empty() {
            options = options.password(&server.password);
        }
        let pool = MySqlPoolOptions::new().max_connections(u32::try_from(server.pool)?).test_before_acquire(!tuned);
        Ok(Self(pool.connect_with(options).await?))
    }
}

struct Row(Player);

impl FromRow<'_, MySqlRow> for Row {
    fn from_row(row: &MySqlRow) -> sqlx::Result<Self> {
        Ok(Self(Player {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            coins: row.try_get("coins")?,
            goods: row.try_get("goods")?,
        }))
    }
}

impl Peer for Players {
    async fn create_table(&self) -> Result<()> {
        sqlx::raw_sql(CREATE_TABLE).execute(&self.0).await?;
        Ok(())
    }

    async fn drop_table(&self) -> Result<()> {
        sqlx::raw_sql(DROP_TABLE).execute(&self.0).await?;
        Ok(())
    }

    async fn create(&self, player: NewPlayer) -> Result<i64> {
        let insert = sqlx::query(INSERT).bind(player.name).bind(player.coins).bind(player.goods);
        Ok(i64::try_from(insert.execute(&self.0).await?.last_insert_id())?)
    }

    async fn create_many(&self, players: Vec<NewPlayer>) -> Result<()> {
        let sql = insert_many(&players);
        let mut insert = sqlx::query(&sql);
        for player in players {
            insert = insert.bind(player.name).bind(player.coins).bind(player.goods);
        }
        insert.execute(&self.0).await?;
        Ok(())
    }

    async fn find(&self, id: i64) -> Result<Option<Player>> {
        let row: Option<Row> = sqlx::query_as(FIND).bind(id).fetch_optional(&self.0).await?;
        Ok(row.map(|row| row.0))
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        let row: Option<Row> = sqlx::query_as(FIND_BY_NAME).bind(name).fetch_optional(&self.0).await?;
        Ok(row.map(|row| row.0))
    }

    async fn list(&self, limit: u32) -> Result<Vec<Player>> {
        let rows: Vec<Row> = sqlx::query_as(LIST).bind(limit).fetch_all(&self.0).await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    async fn count(&self) -> Result<u64> {
        let count: i64 = sqlx::query_scalar(COUNT).fetch_one(&self.0).await?;
        Ok(u64::try_from(count)?)
    }

    async fn trade(&self, Trade { buyer, seller, goods, price }: Trade) -> Result<bool> {
        let mut transaction = self.0.begin().await?;
        let (coins, _): (i32, i32) = sqlx::query_as(LOCK).bind(buyer).fetch_one(&mut *transaction).await?;
        if coins < price {
            transaction.rollback().await?;
            return Ok(false);
        }
        let (_, stock): (i32, i32) = sqlx::query_as(LOCK).bind(seller).fetch_one(&mut *transaction).await?;
        if stock < goods {
            transaction.rollback().await?;
            return Ok(false);
        }
        sqlx::query(MOVE).bind(-price).bind(goods).bind(buyer).execute(&mut *transaction).await?;
        sqlx::query(MOVE).bind(price).bind(-goods).bind(seller).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn close(self) -> Result<()> {
        self.0.close().await;
        Ok(())
    }
}
