//! What the driver crate makes of a server that refuses it, checked on stand-ins.

use std::process::ExitCode;

use tidb_connect_sqlx::{DRIVER, connect};
use tidb_connect_testkit::refusals;

fn main() -> ExitCode {
    refusals::suite(DRIVER, |config| Box::pin(async move { Ok(Box::new(connect(&config).await?) as _) }))
        .with_difference("the_login_method_before_mysql_4_1_is_named", "sqlx takes the request for a packet cut short")
        .run()
}
