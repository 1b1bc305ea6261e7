//! The worked example on this driver: players in a TiDB table.

use async_trait::async_trait;
use sqlx::{
    Executor, MySql, Row,
    mysql::{MySqlArguments, MySqlQueryResult, MySqlRow},
    query::Query,
};
use tidb_connect_core::{
    ConnectionConfig, Error, Phase, Result, RetryPolicy,
    players::{
        Attempt, NewPlayer, Player, PlayerId, PlayerStore, Status, Step, Trade, check_found, check_name, check_rows,
        is_valid_name, sql,
    },
};
use tokio::time::sleep;

use crate::{DRIVER, Pool, connect, error::failed};

/// A [`PlayerStore`] on [`sqlx`]. Clones share the pool.
#[derive(Clone, Debug)]
pub struct SqlxStore {
    pool: Pool,
}

impl SqlxStore {
    /// A store on a pool of its own.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(config: &ConnectionConfig) -> Result<Self> {
        connect(config).await.map(Self::new)
    }

    /// A store on `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

#[async_trait]
impl PlayerStore for SqlxStore {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    async fn server_version(&self) -> Result<String> {
        let mut connection = self.pool.get().await?;
        let row = connection.fetch_one(sql::SERVER_VERSION).await;
        let row = row.map_err(failed("server_version", Phase::Read))?;
        column(&row, "server_version", "VERSION()", 0)
    }

    async fn create_table(&self) -> Result<()> {
        self.run("create_table", sql::CREATE_TABLE).await
    }

    async fn drop_table(&self) -> Result<()> {
        self.run("drop_table", sql::DROP_TABLE).await
    }

    async fn create(&self, player: &NewPlayer) -> Result<Player> {
        check_name("create", &player.name)?;
        let done = self.change("create", sql::CREATE, |query| row(query, player)).await?;
        Ok(player.with_id(PlayerId::from_last_insert_id(done.last_insert_id())))
    }

    async fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
        check_rows("create_many", players)?;
        if players.is_empty() {
            return Ok(0);
        }
        let insert = sql::create_many(players.len());
        Ok(self.change("create_many", &insert, |insert| players.iter().fold(insert, row)).await?.rows_affected())
    }

    async fn find(&self, id: PlayerId) -> Result<Option<Player>> {
        let mut connection = self.pool.get().await?;
        let row = sqlx::query(sql::FIND).bind(id.0).fetch_optional(&mut connection).await;
        row.map_err(failed("find", Phase::Read))?.map(|row| player(&row, "find")).transpose()
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        if !is_valid_name(name) {
            return Ok(None);
        }
        let mut connection = self.pool.get().await?;
        let row = sqlx::query(sql::FIND_BY_NAME).bind(name).fetch_optional(&mut connection).await;
        row.map_err(failed("find_by_name", Phase::Read))?.map(|row| player(&row, "find_by_name")).transpose()
    }

    async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
        let mut connection = self.pool.get().await?;
        let rows = sqlx::query(sql::LIST).bind(sql::after(after)).bind(limit).fetch_all(&mut connection).await;
        rows.map_err(failed("list", Phase::Read))?.iter().map(|row| player(row, "list")).collect()
    }

    async fn count(&self) -> Result<u64> {
        let mut connection = self.pool.get().await?;
        let row = connection.fetch_one(sql::COUNT).await;
        let count: i64 = column(&row.map_err(failed("count", Phase::Read))?, "count", "COUNT(*)", 0)?;
        Ok(count.unsigned_abs())
    }

    async fn update(&self, player: &Player) -> Result<()> {
        check_name("update", &player.name)?;
        let change = self.change("update", sql::UPDATE, |query| {
            query.bind(&player.name).bind(player.coins).bind(player.goods).bind(player.id.0)
        });
        check_found("update", change.await?.rows_affected())
    }

    async fn delete(&self, id: PlayerId) -> Result<()> {
        check_found("delete", self.change("delete", sql::DELETE, |query| query.bind(id.0)).await?.rows_affected())
    }

    async fn trade(&self, trade: &Trade) -> Result<()> {
        let mut attempt = Attempt::new(*trade)?;
        let mut connection = self.pool.get().await?;
        loop {
            let update = attempt.parameters().into_iter().fold(sqlx::query(sql::TRADE), |update, p| update.bind(p));
            let done = update.execute(&mut connection).await.map_err(failed("trade", Phase::Write));
            match attempt.after_update(done.map(|done| done.rows_affected()))? {
                Step::Done => return Ok(()),
                Step::Pause(time) => sleep(time).await,
                Step::Explain => {
                    let read = sqlx::query(sql::SIDES).bind(trade.buyer.0).bind(trade.seller.0);
                    let sides = read.fetch_all(&mut connection).await.map_err(failed("trade", Phase::Read))?;
                    let sides: Result<Vec<Player>> = sides.iter().map(|row| player(row, "trade")).collect();
                    attempt.after_read(&sides?)?;
                }
            }
        }
    }

    async fn status(&self) -> Status {
        let server = self.server_version().await.map(drop);
        Status::new(self.pool.status(), server)
    }

    async fn close(&self) -> Result<()> {
        self.pool.close().await
    }
}

type Statement<'q> = Query<'q, MySql, MySqlArguments>;

impl SqlxStore {
    /// Runs a statement without parameters or rows.
    async fn run(&self, operation: &'static str, statement: &'static str) -> Result<()> {
        let mut connection = self.pool.get().await?;
        let mut retry = RetryPolicy::statement().start();
        loop {
            match connection.execute(statement).await.map_err(failed(operation, Phase::Write)) {
                Ok(_) => return Ok(()),
                Err(error) => sleep(retry.after(error)?).await,
            }
        }
    }

    /// Runs a statement that changes rows, with the values that `bind` gives it.
    async fn change<'q>(
        &self,
        operation: &'static str,
        statement: &'q str,
        bind: impl Fn(Statement<'q>) -> Statement<'q> + Send + Sync,
    ) -> Result<MySqlQueryResult> {
        let mut connection = self.pool.get().await?;
        let mut retry = RetryPolicy::statement().start();
        loop {
            let done = bind(sqlx::query(statement)).execute(&mut connection).await;
            match done.map_err(failed(operation, Phase::Write)) {
                Ok(done) => return Ok(done),
                Err(error) => sleep(retry.after(error)?).await,
            }
        }
    }
}

fn row<'q>(query: Statement<'q>, player: &'q NewPlayer) -> Statement<'q> {
    query.bind(&player.name).bind(player.coins).bind(player.goods)
}

fn player(row: &MySqlRow, operation: &'static str) -> Result<Player> {
    let id = column(row, operation, "id", 0)?;
    let name = column(row, operation, "name", 1)?;
    let coins = column(row, operation, "coins", 2)?;
    let goods = column(row, operation, "goods", 3)?;
    Player::from_columns(operation, id, name, coins, goods)
}

/// The value of a column, unchecked against its declared type: 0.8.6 takes a `utf8mb4_bin` column for binary.
fn column<'r, T>(row: &'r MySqlRow, operation: &'static str, name: &str, index: usize) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::MySql>,
{
    row.try_get_unchecked(index).map_err(|error| Error::decode(DRIVER, operation, name, error))
}
