use super::{
    left_behind,
    pools::{Pool, at_most},
};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A caller sends BEGIN and an INSERT as statements, and gives the connection back: is the transaction still open?",
    meaning: "Where it is kept, the next caller's writes are part of it, and are lost unless somebody commits.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const DONE: &[&str] = &["BEGIN", "INSERT INTO t VALUES (1)"];
const LOOK: &str = "SELECT COUNT(*) FROM t";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::as_it_comes(driver, &lab.config(), 1).await?, DONE, LOOK).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    left_behind(&Pool::ours(driver, &lab.config(), at_most(1))?, DONE, LOOK).await
}
