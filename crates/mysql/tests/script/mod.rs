//! The steps of a transaction, played through the driver.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tidb_connect_core::{ConnectionConfig, TransactionOptions};
use tidb_connect_mysql::{Transaction, TransactionError, connect, mysql::prelude::Queryable};
use tidb_connect_testkit::transaction::{Ended, Step};
use tokio::task::spawn_blocking;
use tracing::Span;

pub(crate) fn play(script: &[Step], tx: &mut Transaction<'_>) -> Result<(), String> {
    for step in script {
        match step {
            Step::Run(sql) => tx.query_drop(*sql).map_err(|error| error.to_string())?,
            Step::Ignore(sql) => drop(tx.query_drop(*sql)),
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
