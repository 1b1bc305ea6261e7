use std::time::Duration;

use sqlx::mysql::MySqlPoolOptions;
use tokio::time::timeout;

use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "All connections stay in use, and the caller waits a tenth of a second at most: what does the error say?",
    meaning: "A program that tells its users \"try again\" must know this error from one of the network.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const LIMIT: Duration = Duration::from_millis(100);

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let error: BoxError = match driver {
        Driver::Sqlx => {
            // The limit is for opening the first connection, too.
            let options = MySqlPoolOptions::new().max_connections(1);
            let pool = options.acquire_timeout(10 * LIMIT).connect_with(lab.sqlx_options()).await?;
            let _held = pool.acquire().await?;
            pool.acquire().await.err().ok_or("no error")?.into()
        }
        Driver::Mysql => {
            let one = mysql::PoolConstraints::new(1, 1).unwrap_or_default();
            let options = lab.mysql_options().pool_opts(mysql::PoolOpts::default().with_constraints(one));
            blocking(move || {
                let pool = mysql::Pool::new(options)?;
                let _held = pool.get_conn()?;
                Ok(pool.try_get_conn(LIMIT).err().ok_or("no error")?.into())
            })
            .await?
        }
        // It has no limit of its own.
        Driver::MysqlAsync => {
            let pool = Pool::as_it_comes(driver, &lab.config(), 1).await?;
            let _held = pool.get().await?;
            timeout(LIMIT, pool.get()).await.err().ok_or("no error")?.into()
        }
    };
    Ok(Answer::new(error))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let pool = Pool::ours(driver, &lab.config(), at_most(1).with_acquire_timeout(LIMIT))?;
    let _held = pool.get().await?;
    let error = pool.get().await.err().ok_or("no error")?;
    Ok(Answer::new(error))
}
