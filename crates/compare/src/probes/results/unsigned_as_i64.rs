use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A BIGINT UNSIGNED holds 7: can it be read as i64?",
    meaning: "Where the column's type decides, a program that reads UNSIGNED columns as i64 fails on its first row; where the value does, on its first large one.",
    setup: &["CREATE TABLE t (n BIGINT UNSIGNED)", "INSERT INTO t VALUES (7)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<i64>("i64", "SELECT n FROM t").await?;
    reading.read::<u64>("u64", "SELECT n FROM t").await?;
    Ok(reading.answer())
}
