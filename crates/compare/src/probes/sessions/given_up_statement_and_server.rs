use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A statement's future is dropped while the server works on it: does the server stop?",
    meaning: "Where it goes on, it holds its locks and may still write: give it a limit of its own, or KILL it.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::as_it_comes(driver, &lab.config(), 1).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::ours(driver, &lab.config(), at_most(1))?).await
}

async fn observe(lab: &Lab, pool: Pool) -> Observed {
    if matches!(pool, Pool::Mysql(_) | Pool::OurMysql(_)) {
        return Err(NotObservable::here("its calls block, and cannot be given up"));
    }
    let mut connection = pool.get().await?;
    let id = connection.text("SELECT CONNECTION_ID()").await?;
    let under_way =
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} AND info = 'SELECT SLEEP(3)'");
    if timeout(Duration::from_millis(300), connection.text("SELECT SLEEP(3)")).await.is_ok() {
        return Err("the statement does not take its time".into());
    }
    if lab.value(&under_way).await? != "1" {
        return Err("the statement is not under way".into());
    }
    connection.give_back().await?;
    let dropped = Instant::now();
    while lab.value(&under_way).await? != "0" {
        if dropped.elapsed() > Duration::from_secs(1) {
            return Ok(Answer::new("it goes on"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(Answer::new("it stops").with(format!("within {:?}", dropped.elapsed())))
}
