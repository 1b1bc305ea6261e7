use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A BIT(1) holds 1 and a BIT(8) 5: as what can they be read?",
    meaning: "A BIT comes as bytes, not as a number: a TINYINT is simpler, and `b + 0` makes a number of it.",
    setup: &["CREATE TABLE t (a BIT(1), b BIT(8))", "INSERT INTO t VALUES (1, 5)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<bool>("BIT(1) bool", "SELECT a FROM t").await?;
    reading.read::<u64>("BIT(8) u64", "SELECT b FROM t").await?;
    reading.read::<Vec<u8>>("bytes", "SELECT b FROM t").await?;
    reading.read::<u64>("b + 0", "SELECT b + 0 FROM t").await?;
    Ok(reading.answer())
}
