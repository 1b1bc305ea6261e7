use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "SUM over an INT column, read as i64: what comes?",
    meaning: "The server gives a DECIMAL: CAST(SUM(n) AS SIGNED) is read as i64 by every driver.",
    setup: &["CREATE TABLE t (n INT)", "INSERT INTO t VALUES (3), (4)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<i64>("SUM", "SELECT SUM(n) FROM t").await?;
    reading.read::<i64>("CAST", "SELECT CAST(SUM(n) AS SIGNED) FROM t").await?;
    Ok(reading.answer())
}
