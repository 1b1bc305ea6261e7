//! The promises of `transaction`, checked on a server.

mod pooled;
mod script;

use std::process::ExitCode;

use tidb_connect_mysql::{DRIVER, TransactionError, connect};
use tidb_connect_testkit::transaction::{self, Ended};
use tokio::task::spawn_blocking;

fn main() -> ExitCode {
    transaction::run(DRIVER, pooled::transact, |config, options, script| {
        Box::pin(async move {
            let work = move || -> Ended {
                let pool = connect(&config).map_err(TransactionError::Failed)?;
                let connection = pool.get().map_err(TransactionError::Failed)?;
                connection.transaction(&options, |tx| script::play(&script, tx)).1
            };
            spawn_blocking(pooled::within_its_span(work)).await.expect("no panic")
        })
    })
}
