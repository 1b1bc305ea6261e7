use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A pool of one: a statement's future is dropped while the server works on it. What does the next caller get?",
    meaning: "Used again, the connection is safe only as far as the driver reads off the old answer, for which it waits.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(Pool::as_it_comes(driver, &lab.config(), 1).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(Pool::ours(driver, &lab.config(), at_most(1))?).await
}

async fn observe(pool: Pool) -> Observed {
    if matches!(pool, Pool::Mysql(_) | Pool::OurMysql(_)) {
        return Err(NotObservable::here("its calls block, and cannot be given up"));
    }
    let mut connection = pool.get().await?;
    let id = connection.text("SELECT CONNECTION_ID()").await?;
    if timeout(Duration::from_millis(200), connection.text("SELECT SLEEP(1.5)")).await.is_ok() {
        return Err("the statement does not take its time".into());
    }
    connection.give_back().await?;
    let started = Instant::now();
    let mut connection = pool.get().await?;
    let waited = started.elapsed() > Duration::from_millis(700);
    let same = connection.text("SELECT CONNECTION_ID()").await? == id;
    Ok(Answer::new(match (same, waited) {
        (true, true) => "the same, once the statement has ended",
        (true, false) => "the same, at once",
        (false, true) => "another, once the statement has ended",
        (false, false) => "another, at once",
    }))
}
