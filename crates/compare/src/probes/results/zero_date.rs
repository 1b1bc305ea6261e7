use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A DATE holds 0000-00-00: what is it as a String, and as an Option?",
    meaning: "No date type of Rust can hold it: the server's default `sql_mode` keeps it out, old data may have it.",
    setup: &["CREATE TABLE t (at DATE)", "INSERT IGNORE INTO t VALUES ('0000-00-00')"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("String", "SELECT at FROM t").await?;
    reading.read::<Option<String>>("Option", "SELECT at FROM t").await?;
    Ok(reading.answer())
}
