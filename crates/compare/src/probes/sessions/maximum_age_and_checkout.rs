use std::time::Duration;

use sqlx::mysql::MySqlPoolOptions;
use tokio::time::sleep;

use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The maximum age is a second, where there is one, and a connection has been idle for longer: is it handed out?",
    meaning: "A pool that looks at ages only now and then hands out what the server may just be about to close.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const AGE: Duration = Duration::from_secs(1);

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let pool = match driver {
        Driver::Sqlx => Pool::Sqlx(MySqlPoolOptions::new().max_lifetime(AGE).connect_lazy_with(lab.sqlx_options())),
        // It has no such setting.
        Driver::Mysql => Pool::as_it_comes(driver, &lab.config(), 1).await?,
        Driver::MysqlAsync => {
            let old = mysql_async::PoolOpts::default().with_abs_conn_ttl(Some(AGE));
            Pool::MysqlAsync(mysql_async::Pool::new(lab.mysql_async_options().pool_opts(old)))
        }
    };
    observe(pool).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(Pool::ours(driver, &lab.config(), at_most(1).with_recycle(AGE))?).await
}

async fn observe(pool: Pool) -> Observed {
    // sqlx looks at ages once in the maximum age, from the pool's start: not at the moment when the connection reaches it.
    sleep(AGE / 4).await;
    let mut connection = pool.get().await?;
    let id = connection.text("SELECT CONNECTION_ID()").await?;
    connection.give_back().await?;
    sleep(AGE + AGE / 4).await;
    let same = pool.get().await?.text("SELECT CONNECTION_ID()").await? == id;
    Ok(Answer::new(if same { "handed out" } else { "replaced" }))
}
