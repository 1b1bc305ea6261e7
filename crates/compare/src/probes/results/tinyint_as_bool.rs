use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A BOOL is a TINYINT(1) and holds 2: as what is it read?",
    meaning: "Keep BOOL columns at 0 and 1: what another number means may depend on how it is read.",
    setup: &["CREATE TABLE t (b BOOL)", "INSERT INTO t VALUES (2)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<bool>("bool", "SELECT b FROM t").await?;
    reading.read::<i8>("i8", "SELECT b FROM t").await?;
    Ok(reading.answer())
}
