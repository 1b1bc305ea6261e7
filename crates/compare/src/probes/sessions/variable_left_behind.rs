use super::{
    left_behind,
    pools::{Pool, at_most},
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A caller sets a user variable and gives the connection back: does the next one see it?",
    meaning: "Where it is kept, a variable must be set by whoever reads it, and never be taken for unset.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const DONE: &[&str] = &["SET @mine = 'set'"];
const LOOK: &str = "SELECT @mine";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::as_it_comes(driver, &lab.config(), 1).await?, DONE, LOOK).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::ours(driver, &lab.config(), at_most(1))?, DONE, LOOK).await
}
