use super::{
    pools::{Pool, at_most},
    sockets,
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Is TCP_NODELAY set, so that a small packet is sent at once?",
    meaning: "Without it, a packet may wait for the answer to the one before, and a statement take 40 ms for nothing.",
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
    let _connection = pool.get().await?;
    let options = sockets::options(lab.proxy()?.addr())?;
    Ok(Answer::new(if options.nodelay { "yes" } else { "no" }))
}
