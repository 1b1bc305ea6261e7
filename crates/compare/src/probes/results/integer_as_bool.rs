use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "An INT holds 256: what is it as a bool?",
    meaning: "Where it is no bool, compare in SQL (`n <> 0`), or read the number.",
    setup: &["CREATE TABLE t (n INT)", "INSERT INTO t VALUES (256)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<bool>("bool", "SELECT n FROM t").await?;
    reading.read::<bool>("n <> 0", "SELECT n <> 0 FROM t").await?;
    Ok(reading.answer())
}
