//! What comes back to the pool, checked on a server and on stand-ins.

#[allow(dead_code, reason = "each test program uses a part")]
mod forms;

use std::process::ExitCode;

use tidb_connect_core::{BoxError, ConnectionConfig, Result};
use tidb_connect_sqlx::{Connection, DRIVER, Pool, sqlx};
use tidb_connect_testkit::returned::{self, Returning};

#[derive(Clone)]
struct Tested(Pool);

impl Returning for Tested {
    type Connection = Connection;

    const WHOLE: [&'static str; 2] = ["text_execute", "execute"];
    const PART: &'static [&'static str] = &[
        "text_fetch_one",
        "text_fetch_optional",
        "text_fetch_dropped",
        "fetch_one",
        "fetch_optional",
        "fetch_dropped",
        "query_scalar_fetch_one",
    ];

    fn new(config: &ConnectionConfig) -> Result<Self> {
        Pool::new(config).map(Self)
    }

    async fn get(&self) -> Result<Connection> {
        self.0.get().await
    }

    async fn run(connection: &mut Connection, form: &str, sql: &str) -> Result<(), BoxError> {
        Ok(forms::play!(form, sql, connection)?)
    }

    async fn misuse(connection: &mut Connection) -> Result<(), BoxError> {
        sqlx::query("SELECT ?").bind(1).bind(2).execute(connection).await?;
        Ok(())
    }

    async fn id(connection: &mut Connection) -> u64 {
        sqlx::query_scalar("SELECT CONNECTION_ID()").fetch_one(connection).await.expect("the server answers")
    }
}

fn main() -> ExitCode {
    returned::run::<Tested>(DRIVER)
}
