//! What the driver crate makes of a server that refuses it, checked on stand-ins.

use std::process::ExitCode;

use tidb_connect_mysql_async::{DRIVER, connect};
use tidb_connect_testkit::refusals;

fn main() -> ExitCode {
    refusals::suite(DRIVER, |config| Box::pin(async move { Ok(Box::new(connect(&config).await?) as _) })).run()
}
