//! The contract of the pool, and of dropping a call, checked on a server.

use std::{process::ExitCode, sync::Arc};

use mysql_async::prelude::Queryable;
use tidb_connect_core::{ConnectionConfig, Result, pool::PoolStatus};
use tidb_connect_mysql_async::{Connection, DRIVER, MysqlAsyncStore, Pool};
use tidb_connect_testkit::{
    Store,
    pool::{PoolSuite, TestedPool},
};

#[derive(Clone)]
struct Tested(Pool);

impl TestedPool for Tested {
    type Connection = Connection;

    fn new(config: &ConnectionConfig) -> Result<Self> {
        Pool::new(config).map(Self)
    }

    async fn get(&self) -> Result<Connection> {
        self.0.get().await
    }

    fn status(&self) -> PoolStatus {
        self.0.status()
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }

    async fn connection_id(connection: &mut Connection) -> u64 {
        connection.exec_first("SELECT CONNECTION_ID()", ()).await.expect("the server answers").expect("one row")
    }

    fn store(&self) -> Store {
        Arc::new(MysqlAsyncStore::new(self.0.clone()))
    }
}

fn main() -> ExitCode {
    PoolSuite::<Tested>::new(DRIVER).run()
}
