use std::time::Duration;

use tokio::time::timeout;

use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The network goes silent before a statement is answered: when does the driver give up?",
    meaning: "A server that is gone without a word does not close its connections: only a limit ends the wait.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const WHILE: Duration = Duration::from_secs(2);

/// As ours comes, it is 60 s, which is too long to be watched here.
const LIMIT: Duration = Duration::from_millis(500);

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::as_it_comes(driver, &lab.config(), 1).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::ours(driver, &lab.config().with_operation_timeout(LIMIT), at_most(1))?).await
}

async fn observe(lab: &Lab, pool: Pool) -> Observed {
    let mut connection = pool.get().await?;
    lab.proxy()?.hold();
    match timeout(WHILE, connection.text("SELECT 1")).await {
        Ok(Ok(_)) => Err("the network is not silent".into()),
        Ok(Err(error)) => Ok(Answer::new(format!("at its limit, here of {} s", LIMIT.as_secs_f32())).with(error)),
        Err(_) => Ok(Answer::new(format!("still waiting after {} s", WHILE.as_secs()))),
    }
}
