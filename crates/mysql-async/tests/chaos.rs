//! What the store promises while its server, its connections and its network fail, on a server of its own.

use std::process::ExitCode;

use tidb_connect_mysql_async::{DRIVER, MysqlAsyncStore};
use tidb_connect_testkit::chaos;

fn main() -> ExitCode {
    chaos::run(DRIVER, |config| async move { MysqlAsyncStore::connect(&config).await })
}
