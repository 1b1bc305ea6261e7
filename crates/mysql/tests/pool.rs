//! The contract of the pool, and of dropping a call, checked on a server.

use std::{process::ExitCode, sync::Arc};

use mysql::prelude::Queryable;
use tidb_connect_core::{ConnectionConfig, Result, pool::PoolStatus};
use tidb_connect_mysql::{Connection, DRIVER, MysqlStore, Pool};
use tidb_connect_testkit::{
    Store,
    pool::{PoolSuite, TestedPool},
};
use tokio::task::{block_in_place, spawn_blocking};

#[derive(Clone)]
struct Tested(Pool);

impl TestedPool for Tested {
    type Connection = Connection;

    const LOGINS_GO_ON: bool = true;

    fn new(config: &ConnectionConfig) -> Result<Self> {
        Pool::new(config).map(Self)
    }

    async fn get(&self) -> Result<Connection> {
        let pool = self.0.clone();
        spawn_blocking(move || pool.get()).await.expect("no panic")
    }

    async fn get_in_place(&self) -> Result<Connection> {
        self.0.get()
    }

    fn status(&self) -> PoolStatus {
        self.0.status()
    }

    async fn close(&self) -> Result<()> {
        let pool = self.0.clone();
        spawn_blocking(move || pool.close()).await.expect("no panic")
    }

    async fn connection_id(connection: &mut Connection) -> u64 {
        let id = block_in_place(|| connection.exec_first("SELECT CONNECTION_ID()", ()));
        id.expect("the server answers").expect("one row")
    }

    fn store(&self) -> Store {
        Arc::new(MysqlStore::new(self.0.clone()))
    }
}

fn main() -> ExitCode {
    PoolSuite::<Tested>::new(DRIVER).run()
}
