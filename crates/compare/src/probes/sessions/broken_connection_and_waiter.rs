use tokio::time::timeout;

use super::{
    cut,
    pools::{Pool, at_most},
    waiting,
};
use crate::{lab::PATIENCE, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "A pool of one: the connection breaks while somebody else waits for it, and is given back. Is the waiter served?",
    meaning: "Where it is not, a caller waits for ever for a place in the pool that is free.",
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
    let mut connection = pool.get().await?;
    let waiter = waiting(&pool, || {}).await;
    cut(lab).await?;
    let broken = connection.text("SELECT 1").await.err().ok_or("the connection is not broken")?;
    connection.give_back().await?;
    let answer = match timeout(PATIENCE, waiter).await {
        Ok(served) => {
            served??;
            Answer::new("yes")
        }
        Err(_) => Answer::new(format!("still waiting after {} s", PATIENCE.as_secs())),
    };
    Ok(answer.with(broken))
}
