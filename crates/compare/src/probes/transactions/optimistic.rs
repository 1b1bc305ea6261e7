use sqlx::{Connection as _, Executor as _};
use tidb_connect_core::{TransactionOptions, transaction::TransactionMode};
use tokio::runtime::Handle;

use super::{TABLE, UPDATE, is_locked};
use crate::{
    lab::{Traffic, plural},
    probes::prelude::*,
};

pub(super) const PROBE: Probe = Probe {
    question: "One transaction is to be optimistic: what does it cost to begin it, and is the next one so too?",
    meaning: "It locks nothing before COMMIT, which can then fail. What has to be set for a session stays set.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// Where a driver has no way to begin one.
const MODE: &str = "SET SESSION tidb_txn_mode = 'optimistic'";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    tidb_only(&lab)?;
    let (begin, first, second) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let (mut transaction, begin) =
                lab.watched(async { Ok(connection.begin_with("BEGIN OPTIMISTIC").await?) }).await?;
            transaction.execute(UPDATE).await?;
            let first = is_locked(&lab).await?;
            transaction.rollback().await?;
            let mut next = connection.begin().await?;
            next.execute(UPDATE).await?;
            (begin, first, is_locked(&lab).await?)
        }
        Driver::Mysql => {
            let inner = lab.clone();
            let work = move |connection: &mut mysql::Conn| {
                let before = inner.proxy()?.report();
                connection.query_drop(MODE)?;
                let mut transaction = connection.start_transaction(mysql::TxOpts::default())?;
                let begin = inner.traffic_since(&before)?;
                transaction.query_drop(UPDATE)?;
                let first = Handle::current().block_on(is_locked(&inner))?;
                transaction.rollback()?;
                let mut next = connection.start_transaction(mysql::TxOpts::default())?;
                next.query_drop(UPDATE)?;
                Ok((begin, first, Handle::current().block_on(is_locked(&inner))?))
            };
            lab.mysql(work).await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let before = lab.proxy()?.report();
            connection.query_drop(MODE).await?;
            let mut transaction = connection.start_transaction(mysql_async::TxOpts::default()).await?;
            let begin = lab.traffic_since(&before)?;
            transaction.query_drop(UPDATE).await?;
            let first = is_locked(&lab).await?;
            transaction.rollback().await?;
            let mut next = connection.start_transaction(mysql_async::TxOpts::default()).await?;
            next.query_drop(UPDATE).await?;
            (begin, first, is_locked(&lab).await?)
        }
    };
    answer(&begin, first, second)
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    tidb_only(&lab)?;
    let options = TransactionOptions::new().with_mode(TransactionMode::Optimistic);
    let lab = &lab;
    // A connection that is open, so that beginning is all there is to see.
    let (begin, first, second) = match driver {
        Driver::Sqlx => {
            let pool = tidb_connect_sqlx::connect(&lab.config()).await?;
            let before = lab.proxy()?.report();
            let look = |mut transaction: tidb_connect_sqlx::Transaction| {
                let begin = lab.traffic_since(&before);
                async move {
                    transaction.execute(UPDATE).await?;
                    Ok::<_, sqlx::Error>((begin, is_locked(lab).await))
                }
            };
            let (begin, first) = pool.transaction_with(&options, look).await?.value;
            let (_, second) = pool.transaction(look).await?.value;
            (begin?, first?, second?)
        }
        Driver::Mysql => {
            let lab = lab.clone();
            blocking(move || {
                let pool = tidb_connect_mysql::connect(&lab.config())?;
                let before = lab.proxy()?.report();
                let look = |transaction: &mut tidb_connect_mysql::Transaction<'_>| {
                    let begin = lab.traffic_since(&before);
                    transaction.query_drop(UPDATE)?;
                    Ok::<_, mysql::Error>((begin, Handle::current().block_on(is_locked(&lab))))
                };
                let (begin, first) = pool.transaction_with(&options, look)?.value;
                let (_, second) = pool.transaction(look)?.value;
                Ok((begin?, first?, second?))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::connect(&lab.config()).await?;
            let before = lab.proxy()?.report();
            let look = |mut transaction: tidb_connect_mysql_async::Transaction| {
                let begin = lab.traffic_since(&before);
                async move {
                    transaction.query_drop(UPDATE).await?;
                    Ok::<_, mysql_async::Error>((begin, is_locked(lab).await))
                }
            };
            let (begin, first) = pool.transaction_with(&options, look).await?.value;
            let (_, second) = pool.transaction(look).await?.value;
            (begin?, first?, second?)
        }
    };
    answer(&begin, first, second)
}

pub(super) fn tidb_only(lab: &Lab) -> Result<(), BoxError> {
    match lab.server().is_tidb() {
        true => Ok(()),
        false => Err(NotObservable::here("only TiDB has optimistic transactions")),
    }
}

fn answer(begin: &Traffic, first: bool, second: bool) -> Observed {
    let mode = |locks| if locks { "pessimistic" } else { "optimistic" };
    let cost = plural(begin.round_trips, "round trip");
    Ok(Answer::new(format!("{cost}: {}; the next one: {}", mode(first), mode(second))).with(begin.commands.join("; ")))
}
