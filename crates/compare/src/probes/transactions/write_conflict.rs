use sqlx::{Connection as _, Executor as _};
use tidb_connect_core::{TransactionOptions, transaction::TransactionMode};
use tokio::runtime::Handle;

use super::{INSERT, TABLE, UPDATE, applied_or_not, ended, optimistic::tidb_only, told};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Somebody else changes a row that an optimistic transaction has changed: what does the program get?",
    meaning: "The error comes from COMMIT, and nothing is applied: the transaction has to be made again as a whole.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    tidb_only(&lab)?;
    let committed: Result<(), BoxError> = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let mut transaction = connection.begin_with("BEGIN OPTIMISTIC").await?;
            transaction.execute(INSERT).await?;
            transaction.execute(UPDATE).await?;
            lab.sql(UPDATE).await?;
            transaction.commit().await.map_err(BoxError::from)
        }
        Driver::Mysql => {
            let inner = lab.clone();
            let work = move |connection: &mut mysql::Conn| {
                connection.query_drop("SET SESSION tidb_txn_mode = 'optimistic'")?;
                let mut transaction = connection.start_transaction(mysql::TxOpts::default())?;
                transaction.query_drop(INSERT)?;
                transaction.query_drop(UPDATE)?;
                Handle::current().block_on(inner.sql(UPDATE))?;
                Ok(transaction.commit().map_err(BoxError::from))
            };
            lab.mysql(work).await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            connection.query_drop("SET SESSION tidb_txn_mode = 'optimistic'").await?;
            let mut transaction = connection.start_transaction(mysql_async::TxOpts::default()).await?;
            transaction.query_drop(INSERT).await?;
            transaction.query_drop(UPDATE).await?;
            lab.sql(UPDATE).await?;
            transaction.commit().await.map_err(BoxError::from)
        }
    };
    let applied = applied_or_not(&lab).await?;
    Ok(match committed {
        Ok(()) => Answer::new(format!("nothing: {applied}")),
        Err(error) => Answer::new(format!("COMMIT: {}; {applied}", told(&error))).with(error),
    })
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    tidb_only(&lab)?;
    let options = TransactionOptions::new().with_mode(TransactionMode::Optimistic);
    // The other one is there once.
    let mut other = Some(lab.clone());
    let result = match driver {
        Driver::Sqlx => {
            let work = |mut transaction: tidb_connect_sqlx::Transaction| {
                let other = other.take();
                async move {
                    transaction.execute(INSERT).await?;
                    transaction.execute(UPDATE).await?;
                    interfere(other).await
                }
            };
            tidb_connect_sqlx::Pool::new(&lab.config())?.transaction_with(&options, work).await
        }
        Driver::Mysql => {
            let config = lab.config();
            let work = move |transaction: &mut tidb_connect_mysql::Transaction<'_>| {
                transaction.query_drop(INSERT)?;
                transaction.query_drop(UPDATE)?;
                Handle::current().block_on(interfere(other.take()))
            };
            blocking(move || Ok(tidb_connect_mysql::Pool::new(&config)?.transaction_with(&options, work))).await?
        }
        Driver::MysqlAsync => {
            let work = |mut transaction: tidb_connect_mysql_async::Transaction| {
                let other = other.take();
                async move {
                    transaction.query_drop(INSERT).await?;
                    transaction.query_drop(UPDATE).await?;
                    interfere(other).await
                }
            };
            tidb_connect_mysql_async::Pool::new(&lab.config())?.transaction_with(&options, work).await
        }
    };
    Ok(Answer::new(ended(&result)))
}

async fn interfere(other: Option<Lab>) -> Result<(), BoxError> {
    match other {
        Some(lab) => lab.sql(UPDATE).await.map(drop),
        None => Ok(()),
    }
}
