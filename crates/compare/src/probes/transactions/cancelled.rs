//! The call that makes a transaction is dropped half-way.

use sqlx::Executor as _;

use super::{INSERT, Pooled, applied_or_not, drop_at, mysql_pool, next_user, on_thread};
use crate::probes::prelude::*;

/// Which answer is being waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    Begin,
    Statement,
    Commit,
}

impl Moment {
    /// The statement through a driver as it comes.
    fn of(self, driver: Driver) -> &'static str {
        match (self, driver) {
            (Self::Begin, Driver::Sqlx) => "BEGIN",
            (Self::Begin, Driver::Mysql | Driver::MysqlAsync) => "START TRANSACTION",
            (Self::Statement, _) => INSERT,
            (Self::Commit, _) => "COMMIT",
        }
    }

    /// The statement through this workspace's crates.
    fn of_ours(self) -> &'static str {
        match self {
            Self::Begin => "BEGIN /*T! PESSIMISTIC */",
            Self::Statement => INSERT,
            Self::Commit => "COMMIT",
        }
    }
}

pub(super) async fn as_it_comes(driver: Driver, lab: Lab, at: Moment) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = lab.sqlx_pool().await?;
            let work = pool.clone();
            drop_at(&lab, at.of(driver), async move {
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
            drop_at(&lab, at.of(driver), call).await?;
            let _ = done.await;
            answer(&lab, &pool).await
        }
        Driver::MysqlAsync => {
            let pool = lab.mysql_async_pool();
            let work = pool.clone();
            drop_at(&lab, at.of(driver), async move {
                let mut transaction = work.start_transaction(mysql_async::TxOpts::default()).await?;
                transaction.query_drop(INSERT).await?;
                transaction.commit().await
            })
            .await?;
            answer(&lab, &pool).await
        }
    }
}

pub(super) async fn ours(driver: Driver, lab: Lab, at: Moment) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = tidb_connect_sqlx::Pool::new(&lab.config())?;
            let work = pool.clone();
            drop_at(&lab, at.of_ours(), async move {
                work.transaction(|mut transaction| async move { transaction.execute(INSERT).await }).await
            })
            .await?;
            answer(&lab, &pool).await
        }
        Driver::Mysql => {
            let pool = tidb_connect_mysql::Pool::new(&lab.config())?;
            let work = pool.clone();
            let (call, done) = on_thread(move || Ok(work.transaction(|transaction| transaction.query_drop(INSERT))?));
            drop_at(&lab, at.of_ours(), call).await?;
            let _ = done.await;
            answer(&lab, &pool).await
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::Pool::new(&lab.config())?;
            let work = pool.clone();
            drop_at(&lab, at.of_ours(), async move {
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
