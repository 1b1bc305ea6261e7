use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A DATETIME holds 0000-00-00 00:00:00: what does a program get?",
    meaning: "No date type of Rust can hold it: the server's default `sql_mode` keeps it out, old data may have it; read it by NULLIF or as a CHAR.",
    setup: &["CREATE TABLE t (at DATETIME)", "INSERT IGNORE INTO t VALUES ('0000-00-00 00:00:00')"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("String", "SELECT at FROM t").await?;
    reading.read::<String>("CAST", "SELECT CAST(at AS CHAR) FROM t").await?;
    Ok(reading.answer())
}
