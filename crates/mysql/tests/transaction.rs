//! The promises of `transaction`, checked on a server.

mod script;

use std::process::ExitCode;

use tidb_connect_mysql::{DRIVER, TransactionError, connect};
use tidb_connect_testkit::transaction::{self, Ended};
use tokio::task::spawn_blocking;
use tracing::Span;

/// `work` on another thread, within the caller's span.
fn within_its_span(work: impl FnOnce() -> Ended) -> impl FnOnce() -> Ended {
    let span = Span::current();
    move || span.in_scope(work)
}

fn main() -> ExitCode {
    transaction::run(
        DRIVER,
        |config, options, script| {
            Box::pin(async move {
                let work = move || -> Ended {
                    let pool = connect(&config).map_err(TransactionError::Failed)?;
                    pool.transaction_with(&options, |tx| script::play(&script, tx))
                };
                spawn_blocking(within_its_span(work)).await.expect("no panic")
            })
        },
        |config, options, script| {
            Box::pin(async move {
                let work = move || -> Ended {
                    let pool = connect(&config).map_err(TransactionError::Failed)?;
                    let connection = pool.get().map_err(TransactionError::Failed)?;
                    connection.transaction(&options, |tx| script::play(&script, tx)).1
                };
                spawn_blocking(within_its_span(work)).await.expect("no panic")
            })
        },
    )
}
