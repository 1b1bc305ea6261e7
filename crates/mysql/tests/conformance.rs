//! The contract of `PlayerStore`, checked on a server.

use std::process::ExitCode;

use tidb_connect_mysql::{DRIVER, MysqlStore};
use tidb_connect_testkit::Suite;

fn main() -> ExitCode {
    Suite::on_server(DRIVER, |config| async move { MysqlStore::connect(&config).await }).run()
}
