//! A transaction in a pool of its own.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tidb_connect_core::{ConnectionConfig, TransactionOptions};
use tidb_connect_mysql_async::{TransactionError, connect};
use tidb_connect_testkit::transaction::{Ended, Step};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::script::play;

pub(crate) fn transact(
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
