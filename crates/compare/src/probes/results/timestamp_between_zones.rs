use super::session::{our_text, text};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "12:00 is written as TIMESTAMP and as DATETIME, and read in a session whose zone is +08:00: what comes?",
    meaning: "A TIMESTAMP is an instant, which the writer's zone makes of the text; a DATETIME is what was written.",
    setup: &["CREATE TABLE t (instant TIMESTAMP, wall DATETIME)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const BEFORE: &[&str] =
    &["INSERT INTO t VALUES ('2026-07-01 12:00:00', '2026-07-01 12:00:00')", "SET time_zone = '+08:00'"];
const SELECT: &str =
    "SELECT CONCAT('TIMESTAMP ', DATE_FORMAT(instant, '%H:%i'), ', DATETIME ', DATE_FORMAT(wall, '%H:%i')) FROM t";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let read = text(driver, &lab, BEFORE, SELECT).await?;
    answer(&lab, &read).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let read = our_text(driver, &lab, BEFORE, SELECT).await?;
    answer(&lab, &read).await
}

async fn answer(lab: &Lab, read: &str) -> Observed {
    let zone = lab.value("SELECT CONCAT(@@global.time_zone, ', of the system ', @@system_time_zone)").await?;
    Ok(Answer::new(read).with(format!("the server's zone is {zone}")))
}
