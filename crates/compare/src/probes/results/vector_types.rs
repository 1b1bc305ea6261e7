use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A VECTOR column of TiDB: as what can it be read?",
    meaning: "Where it is text, a program parses it as JSON; VEC_AS_TEXT gives that text to every driver.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    if !lab.server().is_tidb() {
        return Err(NotObservable::here("VECTOR with VEC_AS_TEXT is only in TiDB"));
    }
    lab.sql("CREATE TABLE t (v VECTOR(3))").await?;
    lab.sql("INSERT INTO t VALUES ('[1,2,0.5]')").await?;
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("VECTOR", "SELECT v FROM t").await?;
    reading.read::<String>("VEC_AS_TEXT", "SELECT VEC_AS_TEXT(v) FROM t").await?;
    Ok(reading.answer())
}
