//! The steps of a transaction, played through the driver.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tidb_connect_core::{ConnectionConfig, TransactionOptions};
use tidb_connect_sqlx::{Transaction, TransactionError, connect, sqlx::Executor};
use tidb_connect_testkit::transaction::{Ended, Step};
use tokio::task::JoinSet;
use tracing::Instrument;

pub(crate) async fn play(script: &[Step], tx: &mut Transaction) -> Result<(), String> {
    for step in script {
        match step {
            Step::Run(sql) => {
                tx.execute(*sql).await.map_err(|error| error.to_string())?;
            }
            Step::Ignore(sql) => drop(tx.execute(*sql).await),
            Step::Meanwhile(act) => act(),
            Step::Fail(text) => return Err((*text).to_owned()),
        }
    }
    Ok(())
}

/// In a transaction of a pool of its own.
pub(crate) fn pooled(
    config: ConnectionConfig,
    options: TransactionOptions,
    script: Arc<[Step]>,
) -> BoxFuture<'static, Ended> {
    Box::pin(async move {
        let pool = connect(&config).await.map_err(TransactionError::Failed)?;
        // The closure borrows a local and runs inside a spawned task: both must keep compiling.
        let mut task = JoinSet::new();
        let work = async move {
            let script = &script;
            pool.transaction_with(&options, |mut tx| async move { play(script, &mut tx).await }).await
        };
        task.spawn(work.in_current_span());
        task.join_next().await.expect("one task").expect("no panic")
    })
}
