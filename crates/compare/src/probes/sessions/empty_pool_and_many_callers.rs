use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Twenty callers meet an empty pool of at most ten: how many connections are opened at once?",
    meaning: "One at a time, the last caller waits for every login before its own, or for one that hangs; ten at once are a burst.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::as_it_comes(driver, &lab.config(), 10).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::ours(driver, &lab.config(), at_most(10))?).await
}

async fn observe(lab: &Lab, pool: Pool) -> Observed {
    let proxy = lab.proxy()?;
    // No login gets an answer, so that those under way can be counted.
    proxy.hold();
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.get().await?.give_back().await })
        })
        .collect();
    let started = Instant::now();
    while proxy.report().open() < 10 && started.elapsed() < Duration::from_millis(500) {
        sleep(Duration::from_millis(5)).await;
    }
    let at_once = proxy.report().open();
    proxy.release();
    for caller in callers {
        caller.await??;
    }
    Ok(Answer::new(at_once).with(format!("{} in the end", proxy.report().connections.len())))
}
