use std::time::Duration;

use tidb_connect_wire::{Answer as Says, Fault, Point};
use tokio::time::{sleep, timeout};

use super::pools::{Pool, at_most};
use crate::{lab::PATIENCE, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "A pool of two opens its second connection, and that login hangs: can others give the first back and take it?",
    meaning: "Where they cannot, one login without an answer stops every thread that uses the pool, even to give back.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::as_it_comes(driver, &lab.config(), 2).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::ours(driver, &lab.config(), at_most(2))?).await
}

async fn observe(lab: &Lab, pool: Pool) -> Observed {
    let first = pool.get().await?;
    let proxy = lab.proxy()?;
    proxy.arm(Point::Connect, Fault::AfterRequest(0, Says::Silence));
    let _hanging = tokio::spawn({
        let pool = pool.clone();
        async move { pool.get().await?.give_back().await }
    });
    while proxy.report().connections.len() < 2 {
        sleep(Duration::from_millis(1)).await;
    }
    let used = async { first.give_back_for_another(&pool).await?.text("SELECT 1").await };
    Ok(match timeout(PATIENCE, used).await {
        Ok(used) => used.map(|_| Answer::new("yes"))?,
        Err(_) => Answer::new(format!("still waiting after {} s", PATIENCE.as_secs())),
    })
}
