use std::time::Duration;

use tokio::time::timeout;

use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A pool is closed while one of its connections is in use: is that waited for, and can it still be used?",
    meaning: "A close that waits lets work under way come to its end, and takes as long as that.",
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
    let mut held = pool.get().await?;
    let mut closing = Box::pin(pool.close());
    let waits = timeout(Duration::from_millis(300), &mut closing).await.is_err();
    let usable = held.text("SELECT 1").await.is_ok();
    held.give_back().await?;
    if waits {
        closing.await?;
    }
    let (waits, usable) = (if waits { "waited for" } else { "not waited for" }, if usable { "usable" } else { "dead" });
    Ok(Answer::new(format!("{waits}, {usable}")))
}
