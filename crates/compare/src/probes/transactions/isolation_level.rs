use sqlx::{Connection as _, Executor as _, MySqlConnection};
use tokio::runtime::Handle;

use super::{TABLE, UPDATE};
use crate::{lab::plural, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "One transaction is to be READ COMMITTED: what does it cost to begin it, and is the next one so too?",
    meaning: "In a READ COMMITTED transaction, a row can be another each time it is read; else it stays as it was.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    // It has no settings for it.
    ours: None,
};

const READ: &str = "SELECT n FROM t WHERE id = 1";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (first, second, begin) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let before = lab.proxy()?.report();
            // There is no method for it.
            connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
            let mut transaction = connection.begin().await?;
            let begin = lab.traffic_since(&before)?;
            let first = sqlx_reads(&mut transaction, &lab).await?;
            transaction.commit().await?;
            let mut next = connection.begin().await?;
            (first, sqlx_reads(&mut next, &lab).await?, begin)
        }
        Driver::Mysql => {
            let inner = lab.clone();
            let work = move |connection: &mut mysql::Conn| {
                let options = mysql::TxOpts::default();
                let level = Some(mysql::IsolationLevel::ReadCommitted);
                let before = inner.proxy()?.report();
                let mut transaction = connection.start_transaction(options.set_isolation_level(level))?;
                let begin = inner.traffic_since(&before)?;
                let first = mysql_reads(&mut transaction, &inner)?;
                transaction.commit()?;
                let mut next = connection.start_transaction(options)?;
                Ok((first, mysql_reads(&mut next, &inner)?, begin))
            };
            lab.mysql(work).await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let mut options = mysql_async::TxOpts::default();
            options.with_isolation_level(mysql_async::IsolationLevel::ReadCommitted);
            let (mut transaction, begin) =
                lab.watched(async { Ok(connection.start_transaction(options).await?) }).await?;
            let first = mysql_async_reads(&mut transaction, &lab).await?;
            transaction.commit().await?;
            let mut next = connection.start_transaction(mysql_async::TxOpts::default()).await?;
            let second = mysql_async_reads(&mut next, &lab).await?;
            next.rollback().await?;
            (first, second, begin)
        }
    };
    let level = |changed| if changed { "READ COMMITTED" } else { "REPEATABLE READ" };
    let cost = plural(begin.round_trips, "round trip");
    Ok(Answer::new(format!("{cost}: {}; the next one: {}", level(first), level(second)))
        .with(begin.commands.join("; ")))
}

/// Whether a row changes from one read to the next.
async fn sqlx_reads(connection: &mut MySqlConnection, lab: &Lab) -> Result<bool, BoxError> {
    let before: i32 = sqlx::query_scalar(READ).fetch_one(&mut *connection).await?;
    lab.sql(UPDATE).await?;
    let after: i32 = sqlx::query_scalar(READ).fetch_one(connection).await?;
    Ok(before != after)
}

fn mysql_reads(transaction: &mut mysql::Transaction<'_>, lab: &Lab) -> Result<bool, BoxError> {
    let before: Option<i32> = transaction.query_first(READ)?;
    Handle::current().block_on(lab.sql(UPDATE))?;
    let after: Option<i32> = transaction.query_first(READ)?;
    Ok(before != after)
}

async fn mysql_async_reads(transaction: &mut mysql_async::Transaction<'_>, lab: &Lab) -> Result<bool, BoxError> {
    let before: Option<i32> = transaction.query_first(READ).await?;
    lab.sql(UPDATE).await?;
    let after: Option<i32> = transaction.query_first(READ).await?;
    Ok(before != after)
}
