use std::time::Duration;

use super::{
    closed_while_idle,
    pools::{Pool, at_most},
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The server closes a connection that lies idle, and more than half a second later it is taken: what does the caller see?",
    meaning: "Servers and load balancers close what idles too long: where that is not noticed, the statement fails.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const A_WHILE: Duration = Duration::from_millis(600);

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    closed_while_idle(&lab, &Pool::as_it_comes(driver, &lab.config(), 1).await?, A_WHILE).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    closed_while_idle(&lab, &Pool::ours(driver, &lab.config(), at_most(1))?, A_WHILE).await
}
