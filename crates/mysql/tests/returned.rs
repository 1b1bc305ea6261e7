//! What comes back to the pool, checked on a server and on stand-ins.

#[allow(dead_code, reason = "each test program uses a part")]
mod forms;

use std::process::ExitCode;

use tidb_connect_core::{BoxError, ConnectionConfig, Result};
use tidb_connect_mysql::{Connection, DRIVER, Pool, mysql::prelude::Queryable};
use tidb_connect_testkit::returned::{self, Returning};

#[derive(Clone)]
struct Tested(Pool);

impl Returning for Tested {
    type Connection = Connection;

    const WHOLE: [&'static str; 2] = ["query_drop", "exec_drop"];
    const PART: &'static [&'static str] = &["query_iter", "exec_iter"];

    fn new(config: &ConnectionConfig) -> Result<Self> {
        Pool::new(config).map(Self)
    }

    async fn get(&self) -> Result<Connection> {
        self.0.get()
    }

    async fn run(connection: &mut Connection, form: &str, sql: &str) -> Result<(), BoxError> {
        Ok(forms::play(form, sql, connection)?)
    }

    async fn misuse(connection: &mut Connection) -> Result<(), BoxError> {
        Ok(connection.exec_drop("SELECT ?", (1, 2))?)
    }

    async fn id(connection: &mut Connection) -> u64 {
        connection.query_first("SELECT CONNECTION_ID()").expect("the server answers").expect("a row")
    }
}

fn main() -> ExitCode {
    returned::run::<Tested>(DRIVER)
}
