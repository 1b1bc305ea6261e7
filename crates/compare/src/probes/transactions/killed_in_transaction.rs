use sqlx::{Executor as _, Row as _};
use tokio::runtime::Handle;

use super::{GO_ON, INSERT, Pooled, TABLE, applied_or_not, ended, mysql_pool, next_user, told, until_true};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The server ends a pooled connection in a transaction: what do its next statement and the next user get?",
    meaning: "Nothing of it is applied: all of it can be made again on another connection, by the program or for it.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const WHO: &str = "SELECT CONNECTION_ID()";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = lab.sqlx_pool().await?;
            let mut transaction = pool.begin().await?;
            transaction.execute(INSERT).await?;
            kill(&lab, transaction.fetch_one(WHO).await?.try_get(0)?).await?;
            let met = transaction.execute(GO_ON).await.map(drop).map_err(BoxError::from);
            drop(transaction);
            answer(&lab, &pool, met).await
        }
        Driver::Mysql => {
            let pool = mysql_pool(&lab).await?;
            let (work, inner) = (pool.clone(), lab.clone());
            let met = blocking(move || {
                let mut transaction = work.start_transaction(mysql::TxOpts::default())?;
                transaction.query_drop(INSERT)?;
                let id = transaction.query_first(WHO)?.unwrap_or_default();
                Handle::current().block_on(kill(&inner, id))?;
                Ok(transaction.query_drop(GO_ON).map_err(BoxError::from))
            });
            answer(&lab, &pool, met.await?).await
        }
        Driver::MysqlAsync => {
            let pool = lab.mysql_async_pool();
            let mut transaction = pool.start_transaction(mysql_async::TxOpts::default()).await?;
            transaction.query_drop(INSERT).await?;
            kill(&lab, transaction.query_first(WHO).await?.unwrap_or_default()).await?;
            let met = transaction.query_drop(GO_ON).await.map_err(BoxError::from);
            drop(transaction);
            answer(&lab, &pool, met).await
        }
    }
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    // It is ended once.
    let mut once = Some(lab.clone());
    match driver {
        Driver::Sqlx => {
            let pool = tidb_connect_sqlx::Pool::new(&lab.config())?;
            let done = pool.transaction(|mut transaction| {
                let once = once.take();
                async move {
                    transaction.execute(INSERT).await?;
                    if let Some(lab) = once {
                        kill(&lab, transaction.fetch_one(WHO).await?.try_get(0)?).await?;
                    }
                    transaction.execute(GO_ON).await?;
                    Ok::<_, BoxError>(())
                }
            });
            let ended = ended(&done.await);
            Ok(Answer::new(format!("{ended}; {}", next_user(&lab, &pool).await?)))
        }
        Driver::Mysql => {
            let pool = tidb_connect_mysql::Pool::new(&lab.config())?;
            let work = pool.clone();
            let ended = blocking(move || {
                let done = work.transaction(|transaction| {
                    transaction.query_drop(INSERT)?;
                    if let Some(lab) = once.take() {
                        let id = transaction.query_first(WHO)?.unwrap_or_default();
                        Handle::current().block_on(kill(&lab, id))?;
                    }
                    transaction.query_drop(GO_ON)?;
                    Ok::<_, BoxError>(())
                });
                Ok(ended(&done))
            });
            Ok(Answer::new(format!("{}; {}", ended.await?, next_user(&lab, &pool).await?)))
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::Pool::new(&lab.config())?;
            let done = pool.transaction(|mut transaction| {
                let once = once.take();
                async move {
                    transaction.query_drop(INSERT).await?;
                    if let Some(lab) = once {
                        kill(&lab, transaction.query_first(WHO).await?.unwrap_or_default()).await?;
                    }
                    transaction.query_drop(GO_ON).await?;
                    Ok::<_, BoxError>(())
                }
            });
            let ended = ended(&done.await);
            Ok(Answer::new(format!("{ended}; {}", next_user(&lab, &pool).await?)))
        }
    }
}

/// Ends a connection, and waits until it has ended.
async fn kill(lab: &Lab, id: u64) -> Result<(), BoxError> {
    lab.sql(&format!("KILL {id}")).await?;
    until_true(lab, &format!("COUNT(*) = 0 FROM information_schema.processlist WHERE id = {id}")).await
}

async fn answer(lab: &Lab, pool: &impl Pooled, met: Result<(), BoxError>) -> Observed {
    let next = next_user(lab, pool).await?;
    let applied = applied_or_not(lab).await?;
    Ok(match met {
        Ok(()) => Answer::new(format!("no error; {applied}; {next}")),
        Err(error) => Answer::new(format!("{}; {applied}; {next}", told(&error))).with(error),
    })
}
