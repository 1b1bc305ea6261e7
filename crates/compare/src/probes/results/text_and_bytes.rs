use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "TEXT read as bytes, BLOB and VARBINARY read as a String: what comes?",
    meaning: "Where one is refused, declare the column as what it is read as: texts are TEXT or VARCHAR, bytes BLOB.",
    setup: &["CREATE TABLE t (t TEXT, b BLOB, v VARBINARY(9))", "INSERT INTO t VALUES ('a', 'a', 'a')"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<Vec<u8>>("TEXT", "SELECT t FROM t").await?;
    reading.read::<String>("BLOB", "SELECT b FROM t").await?;
    reading.read::<String>("VARBINARY", "SELECT v FROM t").await?;
    Ok(reading.answer())
}
