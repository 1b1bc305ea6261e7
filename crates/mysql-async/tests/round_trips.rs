//! What each call costs, counted on a server.

use std::process::ExitCode;

use tidb_connect_mysql_async::{DRIVER, MysqlAsyncStore};
use tidb_connect_testkit::round_trips;

fn main() -> ExitCode {
    round_trips::run(DRIVER, |config| async move { MysqlAsyncStore::connect(&config).await })
}
