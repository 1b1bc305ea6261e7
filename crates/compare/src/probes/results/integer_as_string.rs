use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A BIGINT holds 7: can it be read as a String?",
    meaning: "Where it depends on how the statement was sent, the code that reads the row must know that.",
    setup: &["CREATE TABLE t (n BIGINT)", "INSERT INTO t VALUES (7)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("String", "SELECT n FROM t").await?;
    Ok(reading.answer())
}
