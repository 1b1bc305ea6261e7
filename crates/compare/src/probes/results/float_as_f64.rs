use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A FLOAT holds 0.1, and the program reads it as f64: which number is it?",
    meaning: "FLOAT has about seven digits, and an f64 made of its bits shows more: use DOUBLE, or read f32.",
    setup: &["CREATE TABLE t (n FLOAT)", "INSERT INTO t VALUES (0.1)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<f64>("f64", "SELECT n FROM t").await?;
    reading.read::<f32>("f32", "SELECT n FROM t").await?;
    Ok(reading.answer())
}
