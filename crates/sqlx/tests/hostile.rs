//! What the driver crate lets a hostile server do, checked on stand-ins.

use std::process::ExitCode;

use tidb_connect_sqlx::{
    DRIVER, connect,
    sqlx::{self, Executor},
};
use tidb_connect_testkit::hostile;

/// The process ends where there is not so much memory, and no program can catch that.
const COLUMNS: &str = "the driver reserves memory for as many columns as a server announces";

fn main() -> ExitCode {
    hostile::suite(
        DRIVER,
        |config, statement| {
            Box::pin(async move {
                let pool = connect(&config).await?;
                pool.get().await?.execute(statement).await?;
                Ok(())
            })
        },
        |config, statement| {
            Box::pin(async move {
                let pool = connect(&config).await?;
                sqlx::query(statement).execute(&mut pool.get().await?).await?;
                Ok(())
            })
        },
    )
    .with_difference("packets_out_of_order_are_refused_at_the_login", "sqlx does not look at the numbers of packets")
    .with_difference("packets_out_of_order_are_refused_after_the_login", "sqlx does not look at the numbers of packets")
    .with_difference("an_announced_number_takes_no_memory_at_connect", COLUMNS)
    .with_difference("an_announced_number_takes_no_memory_in_an_answer", COLUMNS)
    .with_difference("an_announced_number_takes_no_memory_when_executed", COLUMNS)
    .run()
}
