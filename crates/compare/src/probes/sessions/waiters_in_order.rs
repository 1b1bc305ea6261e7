use std::sync::{Arc, Mutex, PoisonError};

use super::{
    pools::{Pool, at_most},
    waiting,
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A pool of one, and five callers who wait for it, one after another: in which order are they served?",
    meaning: "Out of order, the wait of the unlucky one has no bound but its limit.",
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
    let held = pool.get().await?;
    let served = Arc::new(Mutex::new(Vec::new()));
    let mut waiters = Vec::new();
    for number in 1..=5 {
        let served = Arc::clone(&served);
        let note = move || served.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        waiters.push(waiting(&pool, note).await);
    }
    held.give_back().await?;
    for waiter in waiters {
        waiter.await??;
    }
    let served = served.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let answer = Answer::new(if served.is_sorted() { "that in which they came" } else { "another" });
    Ok(answer.with(format!("served: {served:?}")))
}
