//! What the driver crate lets a hostile server do, checked on stand-ins.

use std::process::ExitCode;

use tidb_connect_sqlx::{DRIVER, connect, sqlx::Executor};
use tidb_connect_testkit::hostile;

fn main() -> ExitCode {
    hostile::suite(DRIVER, |config, statement| {
        Box::pin(async move {
            let pool = connect(&config).await?;
            pool.get().await?.execute(statement).await?;
            Ok(())
        })
    })
    .with_difference("packets_out_of_order_are_refused_at_the_login", "sqlx does not look at the numbers of packets")
    .with_difference("packets_out_of_order_are_refused_after_the_login", "sqlx does not look at the numbers of packets")
    .run()
}
