use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A BIGINT UNSIGNED holds 7: can it, and what is unsigned by itself, be read as i64?",
    meaning: "Where the column's type decides, the first row fails; where the value does, the first that is too large.",
    setup: &["CREATE TABLE t (n BIGINT UNSIGNED)", "INSERT INTO t VALUES (7)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<i64>("i64", "SELECT n FROM t").await?;
    reading.read::<u64>("u64", "SELECT n FROM t").await?;
    reading.read::<i64>("LAST_INSERT_ID()", "SELECT LAST_INSERT_ID()").await?;
    Ok(reading.answer())
}
