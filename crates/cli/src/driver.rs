//! The drivers: the one place that knows them all.

use std::{
    net::SocketAddr,
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
};

use clap::ValueEnum;
use tidb_connect_core::{
    BoxError, ConnectionConfig, Error, ErrorKind, Result,
    players::{MemoryStore, PlayerStore},
};
use tidb_connect_mysql::{MysqlStore, mysql::prelude::Queryable as _};
use tidb_connect_mysql_async::{MysqlAsyncStore, mysql_async::prelude::Queryable as _};
use tidb_connect_sqlx::{
    SqlxStore,
    sqlx::{Executor as _, Row as _},
};
use tokio::task::spawn_blocking;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Driver {
    /// Async, on tokio
    Sqlx,
    /// Blocking
    Mysql,
    /// Async, on tokio
    #[value(alias = "mysql-async")]
    MysqlAsync,
    /// No server at all: the contract, in memory
    Memory,
}

impl Driver {
    pub(crate) async fn connect(self, config: &ConnectionConfig) -> Result<Box<dyn PlayerStore>> {
        Ok(match self {
            Self::Sqlx => Box::new(SqlxStore::connect(config).await?),
            Self::Mysql => Box::new(MysqlStore::connect(config).await?),
            Self::MysqlAsync => Box::new(MysqlAsyncStore::connect(config).await?),
            Self::Memory => Box::new(MemoryStore::new()),
        })
    }

    /// Opens one connection for statements as text.
    pub(crate) async fn log_in(self, config: &ConnectionConfig) -> Result<Session> {
        let config = config.clone().with_pool(config.pool().clone().with_max_connections(1));
        Ok(match self {
            Self::Sqlx => Session::Sqlx(tidb_connect_sqlx::Pool::new(&config)?.get().await?),
            Self::Mysql => {
                let pool = tidb_connect_mysql::Pool::new(&config)?;
                Session::Mysql(Arc::new(Mutex::new(blocking(move || pool.get()).await?)))
            }
            Self::MysqlAsync => Session::MysqlAsync(tidb_connect_mysql_async::Pool::new(&config)?.get().await?),
            Self::Memory => {
                let message = "the driver memory has no server to log in to";
                return Err(Error::new(ErrorKind::Config, message));
            }
        })
    }

    /// The driver among those that are compared.
    pub(crate) fn compared(self) -> Result<tidb_connect_compare::Driver> {
        match self {
            Self::Sqlx => Ok(tidb_connect_compare::Driver::Sqlx),
            Self::Mysql => Ok(tidb_connect_compare::Driver::Mysql),
            Self::MysqlAsync => Ok(tidb_connect_compare::Driver::MysqlAsync),
            Self::Memory => {
                let message = "--driver is memory, which is no driver to compare: choose sqlx, mysql or mysql_async";
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    /// The driver's name, as in [`Error::driver`].
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlx => tidb_connect_sqlx::DRIVER,
            Self::Mysql => tidb_connect_mysql::DRIVER,
            Self::MysqlAsync => tidb_connect_mysql_async::DRIVER,
            Self::Memory => "memory",
        }
    }
}

/// The rows of an answer, each value as the server's text; NULL is the empty string.
pub(crate) type Rows = Vec<Vec<String>>;

/// One connection of a driver.
#[derive(Debug)]
pub(crate) enum Session {
    Sqlx(tidb_connect_sqlx::Connection),
    Mysql(Arc<Mutex<tidb_connect_mysql::Connection>>),
    MysqlAsync(tidb_connect_mysql_async::Connection),
}

impl Session {
    /// Runs a statement as text, and reads its values as text.
    pub(crate) async fn query(&mut self, statement: &'static str) -> Result<Rows, BoxError> {
        match self {
            Self::Sqlx(connection) => {
                let rows = connection.fetch_all(statement).await?;
                let text = |row: &tidb_connect_sqlx::sqlx::mysql::MySqlRow, index| {
                    // Unchecked, because some servers call names binary.
                    row.try_get_unchecked::<Option<String>, _>(index).map(Option::unwrap_or_default)
                };
                rows.iter().map(|row| (0..row.len()).map(|index| Ok(text(row, index)?)).collect()).collect()
            }
            Self::Mysql(connection) => {
                let connection = Arc::clone(connection);
                let query = move || connection.lock().unwrap_or_else(PoisonError::into_inner).query(statement);
                let rows: Vec<tidb_connect_mysql::mysql::Row> = blocking(query).await?;
                Ok(rows.into_iter().map(|row| row.unwrap().iter().map(text_of).collect()).collect())
            }
            Self::MysqlAsync(connection) => {
                let rows: Vec<tidb_connect_mysql_async::mysql_async::Row> = connection.query(statement).await?;
                Ok(rows.into_iter().map(|row| row.unwrap().iter().map(text_of).collect()).collect())
            }
        }
    }

    /// Asks whether the server is there and willing.
    pub(crate) async fn ping(&mut self) -> Result<()> {
        match self {
            Self::Sqlx(connection) => connection.ping().await,
            Self::Mysql(connection) => {
                let connection = Arc::clone(connection);
                blocking(move || connection.lock().unwrap_or_else(PoisonError::into_inner).ping()).await
            }
            Self::MysqlAsync(connection) => connection.ping().await,
        }
    }

    /// This end of the connection, where the driver tells.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Mysql(connection) => connection.lock().unwrap_or_else(PoisonError::into_inner).local_addr().ok(),
            Self::Sqlx(_) | Self::MysqlAsync(_) => None,
        }
    }
}

/// A value of the text protocol: `mysql` and `mysql_async` share the type.
fn text_of(value: &tidb_connect_mysql::mysql::Value) -> String {
    match value {
        tidb_connect_mysql::mysql::Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

/// Runs `work` on a thread that may wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => resume_unwind(error.into_panic()),
    }
}
