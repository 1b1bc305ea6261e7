//! The drivers: the one place that knows them all.

use clap::ValueEnum;
use tidb_connect_core::{
    ConnectionConfig, Result,
    players::{MemoryStore, PlayerStore},
};
use tidb_connect_mysql::MysqlStore;
use tidb_connect_mysql_async::MysqlAsyncStore;
use tidb_connect_sqlx::SqlxStore;

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
}
