use super::{TABLE, mysql_pool, taken};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "What does a transaction of two statements with parameters send, made once before in the same pool?",
    meaning: "A statement prepared before costs one round trip, unless a reset has made the server forget it.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const DEBIT: &str = "UPDATE t SET n = n - ? WHERE id = 1";
const CREDIT: &str = "UPDATE t SET n = n + ? WHERE id = 2";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = lab.sqlx_pool().await?;
            let work = |pool: sqlx::MySqlPool| async move {
                let mut transaction = pool.begin().await?;
                sqlx::query(DEBIT).bind(5).execute(&mut *transaction).await?;
                sqlx::query(CREDIT).bind(5).execute(&mut *transaction).await?;
                Ok(transaction.commit().await?)
            };
            taken(&lab, pool, work).await
        }
        Driver::Mysql => {
            let pool = mysql_pool(&lab).await?;
            let work = |pool: mysql::Pool| async move {
                blocking(move || {
                    let mut transaction = pool.start_transaction(mysql::TxOpts::default())?;
                    transaction.exec_drop(DEBIT, (5,))?;
                    transaction.exec_drop(CREDIT, (5,))?;
                    Ok(transaction.commit()?)
                })
                .await
            };
            taken(&lab, pool, work).await
        }
        Driver::MysqlAsync => {
            let pool = lab.mysql_async_pool();
            let work = |pool: mysql_async::Pool| async move {
                let mut transaction = pool.start_transaction(mysql_async::TxOpts::default()).await?;
                transaction.exec_drop(DEBIT, (5,)).await?;
                transaction.exec_drop(CREDIT, (5,)).await?;
                Ok(transaction.commit().await?)
            };
            taken(&lab, pool, work).await
        }
    }
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = tidb_connect_sqlx::Pool::new(&lab.config())?;
            let work = |pool: tidb_connect_sqlx::Pool| async move {
                let done = pool.transaction(|mut transaction| async move {
                    sqlx::query(DEBIT).bind(5).execute(&mut transaction).await?;
                    sqlx::query(CREDIT).bind(5).execute(&mut transaction).await
                });
                Ok(done.await.map(drop)?)
            };
            taken(&lab, pool, work).await
        }
        Driver::Mysql => {
            let pool = tidb_connect_mysql::Pool::new(&lab.config())?;
            let work = |pool: tidb_connect_mysql::Pool| async move {
                blocking(move || {
                    let done = pool.transaction(|transaction| {
                        transaction.exec_drop(DEBIT, (5,))?;
                        transaction.exec_drop(CREDIT, (5,))
                    });
                    Ok(done.map(drop)?)
                })
                .await
            };
            taken(&lab, pool, work).await
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::Pool::new(&lab.config())?;
            let work = |pool: tidb_connect_mysql_async::Pool| async move {
                let done = pool.transaction(|mut transaction| async move {
                    transaction.exec_drop(DEBIT, (5,)).await?;
                    transaction.exec_drop(CREDIT, (5,)).await
                });
                Ok(done.await.map(drop)?)
            };
            taken(&lab, pool, work).await
        }
    }
}
