use super::{
    left_behind,
    pools::{Pool, at_most},
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A caller sets time_zone and gives the connection back: does the next one read times in it?",
    meaning: "Where it is kept, TIMESTAMPs are shifted for whoever comes after; where it is reset, to what it was after the login.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const DONE: &[&str] = &["SET time_zone = '+05:00'"];
const LOOK: &str = "SELECT @@time_zone";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::as_it_comes(driver, &lab.config(), 1).await?, DONE, LOOK).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::ours(driver, &lab.config(), at_most(1))?, DONE, LOOK).await
}
