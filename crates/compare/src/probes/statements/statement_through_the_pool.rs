use tokio::{task::yield_now, time::timeout};

use crate::{
    lab::{PATIENCE, plural},
    probes::prelude::*,
};

pub(super) const PROBE: Probe = Probe {
    question: "A statement runs 20 times, each time on a connection taken from the pool: how often is it prepared?",
    meaning: "A pool that resets its connections throws prepared statements away: every run then costs the round trip of another preparation.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const RUNS: usize = 20;
const STATEMENT: &str = "SELECT 1 + ?";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let before = lab.proxy()?.report();
    match driver {
        Driver::Sqlx => {
            let pool = lab.sqlx_pool().await?;
            for _ in 0..RUNS {
                sqlx::query(STATEMENT).bind(1).fetch_all(&pool).await?;
                // It comes back in the background, and the next would run on a new connection.
                timeout(PATIENCE, async {
                    while pool.num_idle() == 0 {
                        yield_now().await
                    }
                })
                .await?;
            }
        }
        Driver::Mysql => {
            let pools = lab.clone();
            blocking(move || {
                let pool = pools.mysql_pool()?;
                for _ in 0..RUNS {
                    pool.get_conn()?.exec_drop(STATEMENT, (1,))?;
                }
                Ok(())
            })
            .await?;
        }
        Driver::MysqlAsync => {
            let pool = lab.mysql_async_pool();
            for _ in 0..RUNS {
                pool.get_conn().await?.exec_drop(STATEMENT, (1,)).await?;
            }
        }
    }
    answer(&lab, &before)
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let (before, config) = (lab.proxy()?.report(), lab.config());
    match driver {
        Driver::Sqlx => {
            let pool = tidb_connect_sqlx::Pool::new(&config)?;
            for _ in 0..RUNS {
                sqlx::query(STATEMENT).bind(1).fetch_all(&mut pool.get().await?).await?;
            }
        }
        Driver::Mysql => {
            blocking(move || {
                let pool = tidb_connect_mysql::Pool::new(&config)?;
                for _ in 0..RUNS {
                    pool.get()?.exec_drop(STATEMENT, (1,))?;
                }
                Ok(())
            })
            .await?;
        }
        Driver::MysqlAsync => {
            let pool = tidb_connect_mysql_async::Pool::new(&config)?;
            for _ in 0..RUNS {
                pool.get().await?.exec_drop(STATEMENT, (1,)).await?;
            }
        }
    }
    answer(&lab, &before)
}

fn answer(lab: &Lab, before: &tidb_connect_wire::Report) -> Observed {
    let prepared = lab.traffic_since(before)?.count("COM_STMT_PREPARE");
    Ok(Answer::new(plural(prepared as u64, "time")))
}
