use std::time::Duration;

use super::{
    closed_while_idle,
    pools::{Pool, at_most},
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The server closes a connection that has just been given back, and a moment later it is taken: what does the caller see?",
    meaning: "A pool that trusts what was used a moment ago saves a round trip a use, and passes on this error instead.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const A_MOMENT: Duration = Duration::from_millis(50);

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    closed_while_idle(&lab, &Pool::as_it_comes(driver, &lab.config(), 1).await?, A_MOMENT).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    closed_while_idle(&lab, &Pool::ours(driver, &lab.config(), at_most(1))?, A_MOMENT).await
}
