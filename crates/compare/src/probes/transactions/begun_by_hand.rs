use sqlx::Executor as _;

use super::{INSERT, Pooled, TABLE, applied_or_not, mysql_pool, next_user};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A connection returns to its pool in a transaction begun by a statement: what does the next user get?",
    meaning: "Where connections are not reset, a pool sees only transactions begun through its own methods: use those.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = lab.sqlx_pool().await?;
            let mut connection = pool.acquire().await?;
            connection.execute("BEGIN").await?;
            connection.execute(INSERT).await?;
            drop(connection);
            answer(&lab, &pool).await
        }
        Driver::Mysql => {
            let pool = mysql_pool(&lab).await?;
            let work = pool.clone();
            blocking(move || {
                let mut connection = work.get_conn()?;
                connection.query_drop("BEGIN")?;
                Ok(connection.query_drop(INSERT)?)
            })
            .await?;
            answer(&lab, &pool).await
        }
        Driver::MysqlAsync => {
            let pool = lab.mysql_async_pool();
            let mut connection = pool.get_conn().await?;
            connection.query_drop("BEGIN").await?;
            connection.query_drop(INSERT).await?;
            drop(connection);
            answer(&lab, &pool).await
        }
    }
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            let pool = tidb_connect_sqlx::Pool::new(&lab.config())?;
            let mut connection = pool.get().await?;
            connection.execute("BEGIN").await?;
            connection.execute(INSERT).await?;
            drop(connection);
            answer(&lab, &pool).await
        }
        Driver::Mysql => {
            let pool = tidb_connect_mysql::Pool::new(&lab.config())?;
            let work = pool.clone();
            blocking(move || {
                let mut connection = work.get()?;
                connection.query_drop("BEGIN")?;
                Ok(connection.query_drop(INSERT)?)
            })
            .await?;
            answer(&lab, &pool).await
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::Pool::new(&lab.config())?;
            let mut connection = pool.get().await?;
            connection.query_drop("BEGIN").await?;
            connection.query_drop(INSERT).await?;
            drop(connection);
            answer(&lab, &pool).await
        }
    }
}

async fn answer(lab: &Lab, pool: &impl Pooled) -> Observed {
    let next = next_user(lab, pool).await?;
    Ok(Answer::new(format!("{}; {next}", applied_or_not(lab).await?)))
}
