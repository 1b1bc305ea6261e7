use super::{TABLE, mysql_pool, taken};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "What does an empty transaction send, through a pool whose connection is open?",
    meaning: "Each command is a round trip to the server: the cost of a transaction, whatever it does.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = lab.sqlx_pool().await?;
            let work = |pool: sqlx::MySqlPool| async move { Ok(pool.begin().await?.commit().await?) };
            taken(&lab, pool, work).await
        }
        Driver::Mysql => {
            let pool = mysql_pool(&lab).await?;
            let work = |pool: mysql::Pool| async move {
                blocking(move || Ok(pool.start_transaction(mysql::TxOpts::default())?.commit()?)).await
            };
            taken(&lab, pool, work).await
        }
        Driver::MysqlAsync => {
            let pool = lab.mysql_async_pool();
            let work = |pool: mysql_async::Pool| async move {
                Ok(pool.start_transaction(mysql_async::TxOpts::default()).await?.commit().await?)
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
                pool.transaction(|_| async { Ok::<_, sqlx::Error>(()) }).await?;
                Ok(())
            };
            taken(&lab, pool, work).await
        }
        Driver::Mysql => {
            let pool = tidb_connect_mysql::Pool::new(&lab.config())?;
            let work = |pool: tidb_connect_mysql::Pool| async move {
                blocking(move || Ok(pool.transaction(|_| Ok::<_, mysql::Error>(())).map(drop)?)).await
            };
            taken(&lab, pool, work).await
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::Pool::new(&lab.config())?;
            let work = |pool: tidb_connect_mysql_async::Pool| async move {
                pool.transaction(|_| async { Ok::<_, mysql_async::Error>(()) }).await?;
                Ok(())
            };
            taken(&lab, pool, work).await
        }
    }
}
