use super::{
    cut,
    pools::{Pool, at_most},
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The server restarts under a pool of five idle connections: how many statements fail before one succeeds?",
    meaning: "Each is an error that somebody gets; a pool that gives up the others with the first has at most one.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::as_it_comes(driver, &lab.config(), 5).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::ours(driver, &lab.config(), at_most(5))?).await
}

async fn observe(lab: &Lab, pool: Pool) -> Observed {
    pool.warm(5).await?;
    cut(lab).await?;
    let mut errors = Vec::new();
    for _ in 0..10 {
        let used = async { pool.get().await?.text("SELECT 1").await };
        match used.await {
            Ok(_) => break,
            Err(error) => errors.push(error.to_string()),
        }
    }
    Ok(errors.iter().fold(Answer::new(errors.len()), Answer::with))
}
