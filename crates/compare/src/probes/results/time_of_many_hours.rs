use std::time::Duration;

use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A TIME holds 838:59:59, -25:00:01, or -00:30:00: what is it as a Duration?",
    meaning: "A TIME is a span and may be negative: sqlx's MySqlTime and the others' Value::Time hold that too.",
    setup: &["CREATE TABLE t (a TIME, b TIME, c TIME)", "INSERT INTO t VALUES ('838:59:59', '-25:00:01', '-00:30:00')"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<Duration>("838:59:59", "SELECT a FROM t").await?;
    reading.read::<Duration>("-25:00:01", "SELECT b FROM t").await?;
    reading.read::<Duration>("-00:30:00", "SELECT c FROM t").await?;
    Ok(reading.answer())
}
