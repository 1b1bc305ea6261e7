use sqlx::Executor as _;

use super::{INSERT, Pooled, TABLE, applied_or_not, drop_at, mysql_pool, next_user, on_thread};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A transaction's call is dropped while COMMIT waits: is it made, and what does the next user get?",
    meaning: "A caller that gave up does not know whether its transaction was committed: it has to look.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = lab.sqlx_pool().await?;
            let work = pool.clone();
            drop_at(&lab, "COMMIT", async move {
                let mut transaction = work.begin().await?;
                transaction.execute(INSERT).await?;
                transaction.commit().await
            })
            .await?;
            answer(&lab, &pool).await
        }
        Driver::Mysql => {
            let pool = mysql_pool(&lab).await?;
            let work = pool.clone();
            let (call, done) = on_thread(move || {
                let mut transaction = work.start_transaction(mysql::TxOpts::default())?;
                transaction.query_drop(INSERT)?;
                Ok(transaction.commit()?)
            });
            drop_at(&lab, "COMMIT", call).await?;
            let _ = done.await;
            answer(&lab, &pool).await
        }
        Driver::MysqlAsync => {
            let pool = lab.mysql_async_pool();
            let work = pool.clone();
            drop_at(&lab, "COMMIT", async move {
                let mut transaction = work.start_transaction(mysql_async::TxOpts::default()).await?;
                transaction.query_drop(INSERT).await?;
                transaction.commit().await
            })
            .await?;
            answer(&lab, &pool).await
        }
    }
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = tidb_connect_sqlx::Pool::new(&lab.config())?;
            let work = pool.clone();
            drop_at(&lab, "COMMIT", async move {
                work.transaction(|mut transaction| async move { transaction.execute(INSERT).await }).await
            })
            .await?;
            answer(&lab, &pool).await
        }
        Driver::Mysql => {
            let pool = tidb_connect_mysql::Pool::new(&lab.config())?;
            let work = pool.clone();
            let (call, done) = on_thread(move || Ok(work.transaction(|transaction| transaction.query_drop(INSERT))?));
            drop_at(&lab, "COMMIT", call).await?;
            let _ = done.await;
            answer(&lab, &pool).await
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::Pool::new(&lab.config())?;
            let work = pool.clone();
            drop_at(&lab, "COMMIT", async move {
                work.transaction(|mut transaction| async move { transaction.query_drop(INSERT).await }).await
            })
            .await?;
            answer(&lab, &pool).await
        }
    }
}

async fn answer(lab: &Lab, pool: &impl Pooled) -> Observed {
    let next = next_user(lab, pool).await?;
    Ok(Answer::new(format!("{}; {next}", applied_or_not(lab).await?)))
}
