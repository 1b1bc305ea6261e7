use std::panic::resume_unwind;

use sqlx::Executor as _;

use super::{INSERT, Pooled, TABLE, applied_or_not, mysql_pool, next_user};
use crate::{lab::caught, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "The application panics inside a transaction from the pool, and goes on elsewhere: what becomes of it?",
    meaning: "A task that panics must not leave locks, or a transaction for the pool's next user.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = lab.sqlx_pool().await?;
            let work = pool.clone();
            let call = caught(async move {
                let mut transaction = work.begin().await?;
                transaction.execute(INSERT).await?;
                panics()
            });
            answer(&lab, &pool, call).await
        }
        Driver::Mysql => {
            let pool = mysql_pool(&lab).await?;
            let work = pool.clone();
            let call = blocking(move || {
                let mut transaction = work.start_transaction(mysql::TxOpts::default())?;
                transaction.query_drop(INSERT)?;
                panics()
            });
            answer(&lab, &pool, call).await
        }
        Driver::MysqlAsync => {
            let pool = lab.mysql_async_pool();
            let work = pool.clone();
            let call = caught(async move {
                let mut transaction = work.start_transaction(mysql_async::TxOpts::default()).await?;
                transaction.query_drop(INSERT).await?;
                panics()
            });
            answer(&lab, &pool, call).await
        }
    }
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = tidb_connect_sqlx::Pool::new(&lab.config())?;
            let work = pool.clone();
            let call = caught(async move {
                let done = work.transaction(|mut transaction| async move {
                    transaction.execute(INSERT).await?;
                    panics::<sqlx::Error>()
                });
                Ok(done.await.map(drop)?)
            });
            answer(&lab, &pool, call).await
        }
        Driver::Mysql => {
            let pool = tidb_connect_mysql::Pool::new(&lab.config())?;
            let work = pool.clone();
            let call = blocking(move || {
                let done = work.transaction(|transaction| {
                    transaction.query_drop(INSERT)?;
                    panics::<mysql::Error>()
                });
                Ok(done.map(drop)?)
            });
            answer(&lab, &pool, call).await
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::Pool::new(&lab.config())?;
            let work = pool.clone();
            let call = caught(async move {
                let done = work.transaction(|mut transaction| async move {
                    transaction.query_drop(INSERT).await?;
                    panics::<mysql_async::Error>()
                });
                Ok(done.await.map(drop)?)
            });
            answer(&lab, &pool, call).await
        }
    }
}

/// Without the message that a panic prints.
fn panics<E>() -> Result<(), E> {
    resume_unwind(Box::new("the application's own"))
}

async fn answer(lab: &Lab, pool: &impl Pooled, call: impl Future<Output = Result<(), BoxError>>) -> Observed {
    let Err(panicked) = call.await else { return Err("the panic was lost".into()) };
    let next = next_user(lab, pool).await?;
    Ok(Answer::new(format!("{}; {next}", applied_or_not(lab).await?)).with(panicked))
}
