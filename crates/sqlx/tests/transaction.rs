//! The promises of `transaction`, checked on a server.

mod script;

use std::process::ExitCode;

use tidb_connect_sqlx::{DRIVER, TransactionError, connect};
use tidb_connect_testkit::transaction;
use tokio::task::JoinSet;
use tracing::Instrument;

fn main() -> ExitCode {
    transaction::run(
        DRIVER,
        |config, options, script| {
            Box::pin(async move {
                let pool = connect(&config).await.map_err(TransactionError::Failed)?;
                // The closure borrows a local and runs inside a spawned task: both must keep compiling.
                let mut task = JoinSet::new();
                let work = async move {
                    let script = &script;
                    pool.transaction_with(&options, |mut tx| async move { script::play(script, &mut tx).await }).await
                };
                task.spawn(work.in_current_span());
                task.join_next().await.expect("one task").expect("no panic")
            })
        },
        |config, options, script| {
            Box::pin(async move {
                let pool = connect(&config).await.map_err(TransactionError::Failed)?;
                let connection = pool.get().await.map_err(TransactionError::Failed)?;
                let script = &script;
                let work = |mut tx| async move { script::play(script, &mut tx).await };
                connection.transaction(&options, work).await.1
            })
        },
    )
}
