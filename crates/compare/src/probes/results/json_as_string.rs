use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A JSON column: can it be read as a String?",
    meaning: "Where it is refused, the driver's feature `json` reads it, and CAST(… AS CHAR) gives its text.",
    setup: &["CREATE TABLE t (j JSON)", "INSERT INTO t VALUES ('{\"a\": 1}')"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("JSON", "SELECT j FROM t").await?;
    reading.read::<String>("CAST", "SELECT CAST(j AS CHAR) FROM t").await?;
    Ok(reading.answer())
}
