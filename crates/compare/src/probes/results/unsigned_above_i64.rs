use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A BIGINT UNSIGNED holds 18446744073709551615: as what can it be read?",
    meaning: "Columns for ids are best BIGINT without UNSIGNED, or read as u64 everywhere.",
    setup: &["CREATE TABLE t (n BIGINT UNSIGNED)", "INSERT INTO t VALUES (18446744073709551615)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<u64>("u64", "SELECT n FROM t").await?;
    reading.read::<i64>("i64", "SELECT n FROM t").await?;
    Ok(reading.answer())
}
