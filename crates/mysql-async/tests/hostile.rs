//! What the driver crate lets a hostile server do, checked on stand-ins.

use std::process::ExitCode;

use tidb_connect_mysql_async::{DRIVER, connect, mysql_async::prelude::Queryable};
use tidb_connect_testkit::hostile;

/// The process ends where there is not so much memory, and no program can catch that.
const COLUMNS: &str = "the driver reserves memory for as many columns as a server announces";

fn main() -> ExitCode {
    hostile::suite(
        DRIVER,
        |config, statement| {
            Box::pin(async move {
                let pool = connect(&config).await?;
                Ok(pool.get().await?.query_drop(statement).await?)
            })
        },
        |config, statement| {
            Box::pin(async move {
                let pool = connect(&config).await?;
                Ok(pool.get().await?.exec_drop(statement, ()).await?)
            })
        },
    )
    .with_difference(
        "an_ok_cut_short_is_an_error",
        "the driver tells an OK packet by its first byte, and takes what is missing for zero",
    )
    .with_difference("an_announced_number_takes_no_memory_at_connect", COLUMNS)
    .with_difference("an_announced_number_takes_no_memory_in_an_answer", COLUMNS)
    .with_difference("an_announced_number_takes_no_memory_when_executed", COLUMNS)
    .run()
}
