use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A BIGINT holds 300: can it be read as i32, and as i8?",
    meaning: "A narrower type than the column's works until a row comes that does not fit.",
    setup: &["CREATE TABLE t (n BIGINT)", "INSERT INTO t VALUES (300)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<i32>("i32", "SELECT n FROM t").await?;
    reading.read::<i8>("i8", "SELECT n FROM t").await?;
    Ok(reading.answer())
}
