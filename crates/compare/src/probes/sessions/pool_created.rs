use super::pools::Pool;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A pool is created, and nothing else is set: how many connections does that open?",
    meaning: "What is opened is there for the first callers, and delays the start of a program by a login each.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (_pool, traffic) = lab
        .watched(async {
            Ok(match driver {
                Driver::Sqlx => Pool::Sqlx(lab.sqlx_pool().await?),
                Driver::Mysql => {
                    let lab = lab.clone();
                    Pool::Mysql(blocking(move || lab.mysql_pool()).await?)
                }
                Driver::MysqlAsync => Pool::MysqlAsync(lab.mysql_async_pool()),
            })
        })
        .await?;
    Ok(Answer::new(traffic.opened))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let config = lab.config();
    let (_pool, traffic) = lab
        .watched(async {
            Ok(match driver {
                Driver::Sqlx => Pool::OurSqlx(tidb_connect_sqlx::connect(&config).await?),
                Driver::Mysql => Pool::OurMysql(blocking(move || Ok(tidb_connect_mysql::connect(&config)?)).await?),
                Driver::MysqlAsync => Pool::OurMysqlAsync(tidb_connect_mysql_async::connect(&config).await?),
            })
        })
        .await?;
    Ok(Answer::new(traffic.opened))
}
