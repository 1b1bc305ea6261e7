use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A DECIMAL(20, 4) holds 12.5: as what can it be read?",
    meaning: "For money, switch on `rust_decimal` or `bigdecimal`, or keep cents in a BIGINT; CAST(… AS CHAR) is text.",
    setup: &["CREATE TABLE t (n DECIMAL(20, 4))", "INSERT INTO t VALUES (12.5)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("String", "SELECT n FROM t").await?;
    reading.read::<f64>("f64", "SELECT n FROM t").await?;
    reading.read::<i64>("i64", "SELECT n FROM t").await?;
    reading.read::<String>("CAST", "SELECT CAST(n AS CHAR) FROM t").await?;
    Ok(reading.answer())
}
