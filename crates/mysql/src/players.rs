//! The worked example on this driver: players in a TiDB table.

use std::thread::sleep;

use async_trait::async_trait;
use mysql::{
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

use crate::{
    DRIVER, Pool,
    abort::{Abortable, Held, Threads},
    connect,
    error::failed,
};

/// The methods of [`PlayerStore`] on the calling thread, for programs without an async runtime. Clones share the pool.
///
/// What the trait promises holds here; each method blocks until the server has answered.
#[derive(Clone, Debug)]
pub struct BlockingStore {
    pool: Abortable,
}

/// A [`PlayerStore`] on [`mysql`]: each call runs on one of tokio's blocking threads, never more at once than the pool
/// has connections. Clones share the pool.
#[derive(Clone, Debug)]
pub struct MysqlStore {
    threads: Threads,
}

impl MysqlStore {
    /// A store on a pool of its own.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(config: &ConnectionConfig) -> Result<Self> {
        let store = Self::new(Pool::new(config)?);
        store.run(|store| store.connection().map(drop)).await?;
        Ok(store)
    }

    /// A store on `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { threads: Threads::new(pool) }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(BlockingStore) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.threads.run(|pool| work(BlockingStore { pool })).await
    }
}

#[async_trait]
impl PlayerStore for MysqlStore {
    fn driver(&self) -> &'static str {
        DRIVER
    }

    async fn server_version(&self) -> Result<String> {
        self.run(|store| store.server_version()).await
    }

    async fn create_table(&self) -> Result<()> {
        self.run(|store| store.create_table()).await
    }

    async fn drop_table(&self) -> Result<()> {
        self.run(|store| store.drop_table()).await
    }

    async fn create(&self, player: &NewPlayer) -> Result<Player> {
        let player = player.clone();
        self.run(move |store| store.create(&player)).await
    }

    async fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
        let players = players.to_vec();
        self.run(move |store| store.create_many(&players)).await
    }

    async fn find(&self, id: PlayerId) -> Result<Option<Player>> {
        self.run(move |store| store.find(id)).await
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        let name = name.to_owned();
        self.run(move |store| store.find_by_name(&name)).await
    }

    async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
        self.run(move |store| store.list(after, limit)).await
    }

    async fn count(&self) -> Result<u64> {
        self.run(|store| store.count()).await
    }

    async fn update(&self, player: &Player) -> Result<()> {
        let player = player.clone();
        self.run(move |store| store.update(&player)).await
    }

    async fn delete(&self, id: PlayerId) -> Result<()> {
        self.run(move |store| store.delete(id)).await
    }

    async fn trade(&self, trade: &Trade) -> Result<()> {
        let trade = *trade;
        self.run(move |store| store.trade(&trade)).await
    }

    async fn status(&self) -> Status {
        let server = self.server_version().await.map(drop);
        Status::new(self.threads.pool().status(), server)
    }

    async fn close(&self) -> Result<()> {
        let pool = self.threads.pool().clone();
        // Not through `run`, which would wait behind the very calls that are to be waited for.
        Threads::spawn(move || pool.close()).await
    }
}

impl BlockingStore {
    /// A store on a pool of its own.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn connect(config: &ConnectionConfig) -> Result<Self> {
        connect(config).map(Self::new)
    }

    /// A store on `pool`.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self { pool: pool.into() }
    }

    /// As [`PlayerStore::server_version`].
    ///
    /// # Errors
    /// As there.
    pub fn server_version(&self) -> Result<String> {
        let row = self.connection()?.query_first(sql::SERVER_VERSION);
        let row = row.map_err(failed("server_version", Phase::Read))?;
        column(&mut required(row, "server_version")?, "server_version", "VERSION()", 0)
    }

    /// As [`PlayerStore::create_table`].
    ///
    /// # Errors
    /// As there.
    pub fn create_table(&self) -> Result<()> {
        self.execute("create_table", sql::CREATE_TABLE)
    }

    /// As [`PlayerStore::drop_table`].
    ///
    /// # Errors
    /// As there.
    pub fn drop_table(&self) -> Result<()> {
        self.execute("drop_table", sql::DROP_TABLE)
    }

    /// As [`PlayerStore::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&self, player: &NewPlayer) -> Result<Player> {
        check_name("create", &player.name)?;
        let done = self.change("create", sql::CREATE, || row(player).to_vec())?;
        Ok(player.with_id(PlayerId::from_last_insert_id(done.last_insert_id())))
    }

    /// As [`PlayerStore::create_many`].
    ///
    /// # Errors
    /// As there.
    pub fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
        check_rows("create_many", players)?;
        if players.is_empty() {
            return Ok(0);
        }
        let values = || players.iter().flat_map(row).collect::<Vec<_>>();
        Ok(self.change("create_many", &sql::create_many(players.len()), values)?.affected_rows())
    }

    /// As [`PlayerStore::find`].
    ///
    /// # Errors
    /// As there.
    pub fn find(&self, id: PlayerId) -> Result<Option<Player>> {
        let row = self.connection()?.exec_first(sql::FIND, (id.0,)).map_err(failed("find", Phase::Read))?;
        row.map(|row| player(row, "find")).transpose()
    }

    /// As [`PlayerStore::find_by_name`].
    ///
    /// # Errors
    /// As there.
    pub fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        if !is_valid_name(name) {
            return Ok(None);
        }
        let row = self.connection()?.exec_first(sql::FIND_BY_NAME, (name,));
        row.map_err(failed("find_by_name", Phase::Read))?.map(|row| player(row, "find_by_name")).transpose()
    }

    /// As [`PlayerStore::list`].
    ///
    /// # Errors
    /// As there.
    pub fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
        let rows = self.connection()?.exec(sql::LIST, (sql::after(after), limit));
        let rows: Vec<Listed> = rows.map_err(failed("list", Phase::Read))?;
        rows.into_iter().map(|Listed(player)| player).collect()
    }

    /// As [`PlayerStore::count`].
    ///
    /// # Errors
    /// As there.
    pub fn count(&self) -> Result<u64> {
        let row = self.connection()?.query_first(sql::COUNT).map_err(failed("count", Phase::Read))?;
        column(&mut required(row, "count")?, "count", "COUNT(*)", 0)
    }

    /// As [`PlayerStore::update`].
    ///
    /// # Errors
    /// As there.
    pub fn update(&self, player: &Player) -> Result<()> {
        check_name("update", &player.name)?;
        let values = || (&player.name, player.coins, player.goods, player.id.0);
        check_found("update", self.change("update", sql::UPDATE, values)?.affected_rows())
    }

    /// As [`PlayerStore::delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self, id: PlayerId) -> Result<()> {
        check_found("delete", self.change("delete", sql::DELETE, || (id.0,))?.affected_rows())
    }

    /// As [`PlayerStore::trade`].
    ///
    /// # Errors
    /// As there.
    pub fn trade(&self, trade: &Trade) -> Result<()> {
        let mut attempt = Attempt::new(*trade)?;
        let mut connection = self.connection()?;
        loop {
            let update = connection.exec_drop(sql::TRADE, attempt.parameters().map(Value::from).to_vec());
            let done = update.map(|()| connection.affected_rows()).map_err(failed("trade", Phase::Write));
            match attempt.after_update(done)? {
                Step::Done => return Ok(()),
                Step::Pause(time) => sleep(time),
                Step::Explain => {
                    let read = connection.exec(sql::SIDES, (trade.buyer.0, trade.seller.0));
                    let sides: Vec<Row> = read.map_err(failed("trade", Phase::Read))?;
                    let sides: Result<Vec<Player>> = sides.into_iter().map(|row| player(row, "trade")).collect();
                    attempt.after_read(&sides?)?;
                }
            }
        }
    }

    /// As [`PlayerStore::close`].
    ///
    /// # Errors
    /// As there.
    pub fn close(&self) -> Result<()> {
        self.pool.close()
    }

    fn connection(&self) -> Result<Held> {
        self.pool.get()
    }

    /// Runs a statement without parameters or rows.
    fn execute(&self, operation: &'static str, statement: &'static str) -> Result<()> {
        let mut connection = self.connection()?;
        let mut retry = RetryPolicy::statement().start();
        loop {
            match connection.query_drop(statement).map_err(failed(operation, Phase::Write)) {
                Ok(()) => return Ok(()),
                Err(error) => sleep(retry.after(error)?),
            }
        }
    }

    /// Runs a statement that changes rows, and returns the connection, which knows what it did.
    fn change<P: Into<Params>>(
        &self,
        operation: &'static str,
        statement: &str,
        values: impl Fn() -> P,
    ) -> Result<Held> {
        let mut connection = self.connection()?;
        let mut retry = RetryPolicy::statement().start();
        loop {
            match connection.exec_drop(statement, values()).map_err(failed(operation, Phase::Write)) {
                Ok(()) => return Ok(connection),
                Err(error) => sleep(retry.after(error)?),
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
    T: mysql::prelude::FromValue,
{
    let wrong = |error: String| Error::decode(DRIVER, operation, name, error);
    let value = row.take_opt(index).ok_or_else(|| wrong("the row has no such column".to_owned()))?;
    value.map_err(|error: mysql::FromValueError| wrong(error.to_string()))
}
