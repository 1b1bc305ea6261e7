use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{
    pools::{Pool, at_most},
    waiting,
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A pool of one: somebody waits, and the holder gives the connection back and asks for it again at once. Who gets it?",
    meaning: "Where the holder may get it, a busy loop can keep others waiting although it gives the connection back.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// The outcome is one of chance where it is not ruled.
const ROUNDS: usize = 10;

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(Pool::as_it_comes(driver, &lab.config(), 1).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(Pool::ours(driver, &lab.config(), at_most(1))?).await
}

async fn observe(pool: Pool) -> Observed {
    let mut overtaken = 0;
    for _ in 0..ROUNDS {
        let held = pool.get().await?;
        let served = Arc::new(AtomicBool::new(false));
        let waiter = waiting(&pool, {
            let served = Arc::clone(&served);
            move || served.store(true, Relaxed)
        });
        let waiter = waiter.await;
        let again = held.give_back_for_another(&pool).await?;
        overtaken += usize::from(!served.load(Relaxed));
        again.give_back().await?;
        waiter.await??;
    }
    let answer = Answer::new(if overtaken == 0 { "who waits" } else { "the holder, again" });
    Ok(answer.with(format!("the holder got it again in {overtaken} of {ROUNDS} rounds")))
}
