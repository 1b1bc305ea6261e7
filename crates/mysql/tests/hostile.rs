//! What the driver crate lets a hostile server do, checked on stand-ins.

use std::process::ExitCode;

use tidb_connect_mysql::{DRIVER, connect, mysql::prelude::Queryable};
use tidb_connect_testkit::hostile;

fn main() -> ExitCode {
    hostile::suite(DRIVER, |config, statement| {
        Box::pin(async move {
            let pool = connect(&config)?;
            Ok(pool.get()?.query_drop(statement)?)
        })
    })
    .run()
}
