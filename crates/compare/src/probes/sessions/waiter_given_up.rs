use std::{
    sync::Arc,
    task::{Context, Wake, Waker},
};

use tokio::{sync::Notify, time::timeout};

use super::pools::{Pool, at_most};
use crate::{lab::PATIENCE, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "Two wait for a pool of one. It is given back, and the first waiter's future is dropped before it runs: is the second served?",
    meaning: "Where it is not, the connection lies idle and every later caller waits for ever; `select!` and aborts drop such futures.",
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
    if matches!(pool, Pool::Mysql(_) | Pool::OurMysql(_)) {
        return Err(NotObservable::here("its calls block, and cannot be given up"));
    }
    let held = pool.get().await?;
    let woken = Arc::new(Woken::default());
    let (mut first, mut second) = (Box::pin(pool.get()), Box::pin(pool.get()));
    for waiter in [&mut first, &mut second] {
        if waiter.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&woken)))).is_ready() {
            return Err("a pool of one has lent a second".into());
        }
    }
    held.give_back().await?;
    timeout(PATIENCE, woken.0.notified()).await?;
    drop(first);
    let served = match timeout(PATIENCE, second).await {
        Ok(served) => served?.text("SELECT 1").await.map(|_| "yes".to_owned())?,
        Err(_) => format!("still waiting after {} s", PATIENCE.as_secs()),
    };
    Ok(Answer::new(served))
}

/// Tells when a future could go on.
#[derive(Default)]
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}
