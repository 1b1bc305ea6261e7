//! The contract of `PlayerStore`, checked on a server.

use std::process::ExitCode;

use tidb_connect_mysql_async::{DRIVER, MysqlAsyncStore};
use tidb_connect_testkit::Suite;

fn main() -> ExitCode {
    Suite::on_server(DRIVER, |config| async move { MysqlAsyncStore::connect(&config).await }).run()
}
