use super::{
    goodbyes,
    pools::{Pool, at_most},
    quiet,
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A pool with three idle connections is closed: how many of them tell the server goodbye?",
    meaning: "Without COM_QUIT, the server finds a connection broken: it counts an aborted client, and may write a log line.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::as_it_comes(driver, &lab.config(), 3).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(&lab, Pool::ours(driver, &lab.config(), at_most(3))?).await
}

async fn observe(lab: &Lab, pool: Pool) -> Observed {
    pool.warm(3).await?;
    quiet(lab).await?;
    pool.close().await?;
    goodbyes(lab).await
}
