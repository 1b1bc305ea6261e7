use std::time::Duration;

use tokio::time::timeout;

use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "All connections of the pool are in use, and stay so: how long does the next caller wait?",
    meaning: "Without a limit, one leaked connection too many is a program that stands still and says nothing.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const WHILE: Duration = Duration::from_secs(1);

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let pool = Pool::as_it_comes(driver, &lab.config(), 1).await?;
    let limit = match &pool {
        Pool::Sqlx(pool) => Some(pool.options().get_acquire_timeout()),
        _ => None,
    };
    observe(pool, limit).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let policy = at_most(1);
    let limit = policy.acquire_timeout();
    observe(Pool::ours(driver, &lab.config(), policy)?, Some(limit)).await
}

async fn observe(pool: Pool, limit: Option<Duration>) -> Observed {
    let _held = pool.get().await?;
    let waited = match timeout(WHILE, pool.get()).await {
        Ok(served) => return Err(format!("a pool of one has lent a second: {served:?}").into()),
        Err(_) => format!("still waiting after {} s", WHILE.as_secs()),
    };
    Ok(Answer::new(match limit {
        Some(limit) => format!("{waited}; its limit is {} s", limit.as_secs()),
        None => format!("{waited}; it has no limit"),
    }))
}
