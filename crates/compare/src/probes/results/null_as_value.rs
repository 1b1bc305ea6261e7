use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A column holds NULL, and the program reads it as a type that is no Option: what happens?",
    meaning: "Where it is a panic, read what may be NULL as an Option, or by a function whose name ends in `_opt`.",
    setup: &["CREATE TABLE t (n BIGINT)", "INSERT INTO t VALUES (NULL)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<i64>("i64", "SELECT n FROM t").await?;
    reading.read::<Option<i64>>("Option", "SELECT n FROM t").await?;
    Ok(reading.answer())
}
