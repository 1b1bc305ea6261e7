use std::{io, time::Instant};

use sqlx::Executor as _;
use tidb_connect_core::TransactionError;
use tidb_connect_wire::{Fault, Point};

use super::{INSERT, LATE, Pooled, TABLE, applied_or_not, mysql_pool, next_user};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "An error of the application's leaves a pooled transaction: is it rolled back before the caller goes on?",
    meaning: "If not, who tries again can meet his own locks; if so, leaving takes as long as the server does.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    lab.proxy()?.arm(Point::statement("ROLLBACK"), Fault::Delay(0, LATE));
    match driver {
        Driver::Sqlx => {
            let pool = lab.sqlx_pool().await?;
            let left = async {
                let mut transaction = pool.begin().await?;
                transaction.execute(INSERT).await?;
                Err(of_its_own().into())
            };
            answer(&lab, &pool, left).await
        }
        Driver::Mysql => {
            let pool = mysql_pool(&lab).await?;
            let work = pool.clone();
            let left = blocking(move || {
                let mut transaction = work.start_transaction(mysql::TxOpts::default())?;
                transaction.query_drop(INSERT)?;
                Err(of_its_own().into())
            });
            answer(&lab, &pool, left).await
        }
        Driver::MysqlAsync => {
            let pool = lab.mysql_async_pool();
            let left = async {
                let mut transaction = pool.start_transaction(mysql_async::TxOpts::default()).await?;
                transaction.query_drop(INSERT).await?;
                Err(of_its_own().into())
            };
            answer(&lab, &pool, left).await
        }
    }
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    lab.proxy()?.arm(Point::statement("ROLLBACK"), Fault::Delay(0, LATE));
    match driver {
        Driver::Sqlx => {
            let pool = tidb_connect_sqlx::Pool::new(&lab.config())?;
            let left = pool.transaction(|mut transaction| async move {
                transaction.execute(INSERT).await.map_err(io::Error::other)?;
                Err::<(), _>(of_its_own())
            });
            answer(&lab, &pool, async { left.await.map(drop).map_err(from_within) }).await
        }
        Driver::Mysql => {
            let pool = tidb_connect_mysql::Pool::new(&lab.config())?;
            let work = pool.clone();
            let left = blocking(move || {
                let left = work.transaction(|transaction| {
                    transaction.query_drop(INSERT).map_err(io::Error::other)?;
                    Err::<(), _>(of_its_own())
                });
                left.map(drop).map_err(from_within)
            });
            answer(&lab, &pool, left).await
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::Pool::new(&lab.config())?;
            let left = pool.transaction(|mut transaction| async move {
                transaction.query_drop(INSERT).await.map_err(io::Error::other)?;
                Err::<(), _>(of_its_own())
            });
            answer(&lab, &pool, async { left.await.map(drop).map_err(from_within) }).await
        }
    }
}

const OF_ITS_OWN: &str = "too few coins";

fn of_its_own() -> io::Error {
    io::Error::other(OF_ITS_OWN)
}

/// The closure's own error, as it was.
fn from_within(error: TransactionError<io::Error>) -> BoxError {
    match error {
        TransactionError::Aborted(error) => error.into(),
        other => other.into(),
    }
}

async fn answer(lab: &Lab, pool: &impl Pooled, left: impl Future<Output = Result<(), BoxError>>) -> Observed {
    let started = Instant::now();
    let left = left.await;
    let waited = started.elapsed() >= LATE;
    match left {
        Err(error) if error.to_string() == OF_ITS_OWN => {}
        Err(error) => return Err(error),
        Ok(()) => return Err("the application's error was lost".into()),
    }
    let next = next_user(lab, pool).await?;
    let when = match (applied_or_not(lab).await?, waited) {
        ("committed", _) => "it is committed",
        (_, true) => "yes",
        (_, false) => "no, in the background",
    };
    Ok(Answer::new(format!("{when}; {next}")))
}
