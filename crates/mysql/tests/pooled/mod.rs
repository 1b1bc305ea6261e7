//! A transaction in a pool of its own.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tidb_connect_core::{ConnectionConfig, TransactionOptions};
use tidb_connect_mysql::{TransactionError, connect};
use tidb_connect_testkit::transaction::{Ended, Step};
use tokio::task::spawn_blocking;
use tracing::Span;

use crate::script::play;

pub(crate) fn transact(
    config: ConnectionConfig,
    options: TransactionOptions,
    script: Arc<[Step]>,
) -> BoxFuture<'static, Ended> {
    Box::pin(async move {
        let work = move || -> Ended {
            let pool = connect(&config).map_err(TransactionError::Failed)?;
            pool.transaction_with(&options, |tx| play(&script, tx))
        };
        spawn_blocking(within_its_span(work)).await.expect("no panic")
    })
}

/// `work` on another thread, within the caller's span.
pub(crate) fn within_its_span(work: impl FnOnce() -> Ended) -> impl FnOnce() -> Ended {
    let span = Span::current();
    move || span.in_scope(work)
}
