use tokio::time::timeout;

use super::{
    nowhere,
    pools::{Pool, at_most},
};
use crate::{lab::PATIENCE, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "Nobody listens at the server's address: what does a caller of the pool get, and when?",
    meaning: "A program that waits here looks as if it worked; one that gets the error can say what is wrong.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(Pool::as_it_comes(driver, &nowhere(&lab)?, 1).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(Pool::ours(driver, &nowhere(&lab)?, at_most(1))?).await
}

async fn observe(pool: Pool) -> Observed {
    match timeout(PATIENCE, pool.get()).await {
        Ok(Err(error)) => Ok(Answer::new("an error at once").with(error)),
        Ok(Ok(_)) => Err("somebody listens".into()),
        Err(_) => Ok(Answer::new(format!("still waiting after {} s", PATIENCE.as_secs()))),
    }
}
