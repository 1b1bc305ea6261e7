//! The promises of `transaction`, checked on a server.

mod pooled;
mod script;

use std::process::ExitCode;

use tidb_connect_sqlx::{DRIVER, TransactionError, connect};
use tidb_connect_testkit::transaction;

fn main() -> ExitCode {
    transaction::run(DRIVER, pooled::transact, |config, options, script| {
        Box::pin(async move {
            let pool = connect(&config).await.map_err(TransactionError::Failed)?;
            let connection = pool.get().await.map_err(TransactionError::Failed)?;
            let script = &script;
            let work = |mut tx| async move { script::play(script, &mut tx).await };
            connection.transaction(&options, work).await.1
        })
    })
}
