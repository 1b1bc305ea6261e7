//! The worked example on this driver: players in a TiDB table.

use async_trait::async_trait;
use mysql_async::{
    FromRowError, Params, Row, Value,
    prelude::{FromRow, Queryable},
};
use tidb_connect_core::{
    ConnectionConfig, Error, Phase, Result, RetryPolicy,
    players::{
        Attempt, NewPlayer, Player, PlayerId, PlayerStore, Status, Step, Trade, check_found, check_name, check_rows,
        is_valid_name, sql,
    },
};
use tokio::time::sleep;

use crate::{Connection, DRIVER, Pool, connect, error::failed};

/// A [`PlayerStore`] on [`mysql_async`]. Clones share the pool.
#[derive(Clone, Debug)]
pub struct MysqlAsyncStore {
    pool: Pool,
}

impl MysqlAsyncStore {
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
impl PlayerStore for MysqlAsyncStore {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    async fn server_version(&self) -> Result<String> {
        let mut connection = self.pool.get().await?;
        let row = connection.query_first(sql::SERVER_VERSION).await.map_err(failed("server_version", Phase::Read))?;
        column(&mut required(row, "server_version")?, "server_version", "VERSION()", 0)
    }

    async fn create_table(&self) -> Result<()> {
        self.run("create_table", sql::CREATE_TABLE).await
    }

    async fn drop_table(&self) -> Result<()> {
        self.run("drop_table", sql::DROP_TABLE).await
    }

    async fn create(&self, player: &NewPlayer) -> Result<Player> {
        check_name("create", &player.name)?;
        let done = self.change("create", sql::CREATE, || row(player).to_vec()).await?;
        Ok(player.with_id(PlayerId::from_last_insert_id(done.last_insert_id().unwrap_or_default())))
    }

    async fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
        check_rows("create_many", players)?;
        if players.is_empty() {
            return Ok(0);
        }
        let values = || players.iter().flat_map(row).collect::<Vec<_>>();
        Ok(self.change("create_many", &sql::create_many(players.len()), values).await?.affected_rows())
    }

    async fn find(&self, id: PlayerId) -> Result<Option<Player>> {
        let mut connection = self.pool.get().await?;
        let row = connection.exec_first(sql::FIND, (id.0,)).await.map_err(failed("find", Phase::Read))?;
        row.map(|row| player(row, "find")).transpose()
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        if !is_valid_name(name) {
            return Ok(None);
        }
        let mut connection = self.pool.get().await?;
        let row = connection.exec_first(sql::FIND_BY_NAME, (name,)).await;
        row.map_err(failed("find_by_name", Phase::Read))?.map(|row| player(row, "find_by_name")).transpose()
    }

    async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
        let mut connection = self.pool.get().await?;
        let rows: Vec<Listed> =
            connection.exec(sql::LIST, (sql::after(after), limit)).await.map_err(failed("list", Phase::Read))?;
        rows.into_iter().map(|Listed(player)| player).collect()
    }

    async fn count(&self) -> Result<u64> {
        let mut connection = self.pool.get().await?;
        let row = connection.query_first(sql::COUNT).await.map_err(failed("count", Phase::Read))?;
        column(&mut required(row, "count")?, "count", "COUNT(*)", 0)
    }

    async fn update(&self, player: &Player) -> Result<()> {
        check_name("update", &player.name)?;
        let values = || (&player.name, player.coins, player.goods, player.id.0);
        check_found("update", self.change("update", sql::UPDATE, values).await?.affected_rows())
    }

    async fn delete(&self, id: PlayerId) -> Result<()> {
        check_found("delete", self.change("delete", sql::DELETE, || (id.0,)).await?.affected_rows())
    }

    async fn trade(&self, trade: &Trade) -> Result<()> {
        let mut attempt = Attempt::new(*trade)?;
        let mut connection = self.pool.get().await?;
        loop {
            let update = connection.exec_drop(sql::TRADE, attempt.parameters().map(Value::from).to_vec()).await;
            let done = update.map(|()| connection.affected_rows()).map_err(failed("trade", Phase::Write));
            match attempt.after_update(done)? {
                Step::Done => return Ok(()),
                Step::Pause(time) => sleep(time).await,
                Step::Explain => {
                    let read = connection.exec(sql::SIDES, (trade.buyer.0, trade.seller.0)).await;
                    let sides: Vec<Row> = read.map_err(failed("trade", Phase::Read))?;
                    let sides: Result<Vec<Player>> = sides.into_iter().map(|row| player(row, "trade")).collect();
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

impl MysqlAsyncStore {
    /// Runs a statement without parameters or rows.
    async fn run(&self, operation: &'static str, statement: &'static str) -> Result<()> {
        let mut connection = self.pool.get().await?;
        let mut retry = RetryPolicy::statement().start();
        loop {
            match connection.query_drop(statement).await.map_err(failed(operation, Phase::Write)) {
                Ok(()) => return Ok(()),
                Err(error) => sleep(retry.after(error)?).await,
            }
        }
    }

    /// Runs a statement that changes rows, and returns the connection, which knows what it did.
    async fn change<P: Into<Params> + Send>(
        &self,
        operation: &'static str,
        statement: &str,
        values: impl Fn() -> P + Send + Sync,
    ) -> Result<Connection> {
        let mut connection = self.pool.get().await?;
        let mut retry = RetryPolicy::statement().start();
        loop {
            let done = connection.exec_drop(statement, values()).await;
            match done.map_err(failed(operation, Phase::Write)) {
                Ok(()) => return Ok(connection),
                Err(error) => sleep(retry.after(error)?).await,
            }
        }
    }
}

fn row(player: &NewPlayer) -> [Value; 3] {
    [player.name.as_str().into(), player.coins.into(), player.goods.into()]
}

fn required(row: Option<Row>, operation: &'static str) -> Result<Row> {
    row.ok_or_else(|| Error::decode(DRIVER, operation, "0", "the server sent no row"))
}

/// A player of a list, made as its row comes: the rows of a whole page take several times as much.
struct Listed(Result<Player>);

impl FromRow for Listed {
    fn from_row_opt(row: Row) -> std::result::Result<Self, FromRowError> {
        Ok(Self(player(row, "list")))
    }
}

fn player(mut row: Row, operation: &'static str) -> Result<Player> {
    let id = column(&mut row, operation, "id", 0)?;
    let name = column(&mut row, operation, "name", 1)?;
    let coins = column(&mut row, operation, "coins", 2)?;
    let goods = column(&mut row, operation, "goods", 3)?;
    Player::from_columns(operation, id, name, coins, goods)
}

/// The value of a column; unlike the driver's usual conversions, without a panic.
fn column<T>(row: &mut Row, operation: &'static str, name: &str, index: usize) -> Result<T>
where
    T: mysql_async::prelude::FromValue,
{
    let wrong = |error: String| Error::decode(DRIVER, operation, name, error);
    let value = row.take_opt(index).ok_or_else(|| wrong("the row has no such column".to_owned()))?;
    value.map_err(|error: mysql_async::FromValueError| wrong(error.to_string()))
}
