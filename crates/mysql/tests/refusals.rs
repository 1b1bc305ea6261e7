//! What the driver crate makes of a server that refuses it, checked on stand-ins.

use std::process::ExitCode;

use tidb_connect_mysql::{DRIVER, connect};
use tidb_connect_testkit::refusals;

fn main() -> ExitCode {
    refusals::suite(DRIVER, |config| Box::pin(async move { Ok(Box::new(connect(&config)?) as _) }))
        .with_difference(
            "an_error_without_sqlstate_at_the_login_is_read",
            "the driver drops an error packet without an SQLSTATE; TiDB sends one only to demand TLS",
        )
        .run()
}
