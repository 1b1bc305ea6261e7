use super::{
    left_behind,
    pools::{Pool, at_most},
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A caller sets autocommit = 0 and gives the connection back: is it still off for the next one?",
    meaning: "Where it is kept off, the next caller's writes are never committed, and nobody gets an error.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const DONE: &[&str] = &["SET autocommit = 0"];
const LOOK: &str = "SELECT @@autocommit";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::as_it_comes(driver, &lab.config(), 1).await?, DONE, LOOK).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::ours(driver, &lab.config(), at_most(1))?, DONE, LOOK).await
}
