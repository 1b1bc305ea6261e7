use super::{
    left_behind,
    pools::{Pool, at_most},
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A caller takes a lock with GET_LOCK and gives the connection back: who holds it now?",
    meaning: "Where it is kept, an idle connection holds the lock, and nobody else gets it until that is closed.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const DONE: &[&str] = &["SELECT GET_LOCK('tidb_connect_compare', 1)"];
const LOOK: &str = "SELECT IS_USED_LOCK('tidb_connect_compare') = CONNECTION_ID()";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::as_it_comes(driver, &lab.config(), 1).await?, DONE, LOOK).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::ours(driver, &lab.config(), at_most(1))?, DONE, LOOK).await
}
