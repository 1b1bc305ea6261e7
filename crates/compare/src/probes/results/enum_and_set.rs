use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "ENUM and SET columns: can they be read as a String?",
    meaning: "Where they come as text, a Rust enum is made by matching it.",
    setup: &["CREATE TABLE t (e ENUM('a', 'b'), s SET('x', 'y'))", "INSERT INTO t VALUES ('b', 'x,y')"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("ENUM", "SELECT e FROM t").await?;
    reading.read::<String>("SET", "SELECT s FROM t").await?;
    Ok(reading.answer())
}
