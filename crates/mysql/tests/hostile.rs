//! What the driver crate lets a hostile server do, checked on stand-ins.

use std::process::ExitCode;

use tidb_connect_mysql::{DRIVER, connect, mysql::prelude::Queryable};
use tidb_connect_testkit::hostile;

/// The process ends where there is not so much memory, and no program can catch that.
const COLUMNS: &str = "the driver reserves memory for as many columns as a server announces";

fn main() -> ExitCode {
    hostile::suite(
        DRIVER,
        |config, statement| {
            Box::pin(async move {
                let pool = connect(&config)?;
                Ok(pool.get()?.query_drop(statement)?)
            })
        },
        |config, statement| {
            Box::pin(async move {
                let pool = connect(&config)?;
                Ok(pool.get()?.exec_drop(statement, ())?)
            })
        },
    )
    .with_difference("an_announced_number_takes_no_memory_at_connect", COLUMNS)
    .with_difference("an_announced_number_takes_no_memory_in_an_answer", COLUMNS)
    .with_difference("an_announced_number_takes_no_memory_when_executed", COLUMNS)
    .run()
}
