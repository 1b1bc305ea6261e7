//! The contract of `PlayerStore`, checked on a server.

use std::process::ExitCode;

use tidb_connect_sqlx::{DRIVER, SqlxStore};
use tidb_connect_testkit::Suite;

fn main() -> ExitCode {
    Suite::on_server(DRIVER, |config| async move { SqlxStore::connect(&config).await }).run()
}
