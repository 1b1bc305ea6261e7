use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A DATETIME(6) holds a time of 123456 µs: can it be read as a String, without a crate for dates?",
    meaning: "Switch on the driver's feature `time` or `chrono` for date types, or read CAST(… AS CHAR).",
    setup: &["CREATE TABLE t (at DATETIME(6))", "INSERT INTO t VALUES ('2026-07-01 12:00:00.123456')"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("String", "SELECT at FROM t").await?;
    Ok(reading.answer())
}
