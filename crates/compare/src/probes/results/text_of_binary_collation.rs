use super::reading::Reading;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A VARCHAR and a TEXT have the collation utf8mb4_bin: can they be read as a String?",
    meaning: "Where it is refused, read bytes, or SELECT … COLLATE another: utf8mb4_bin is TiDB's default.",
    setup: &[
        "CREATE TABLE t (v VARCHAR(9) COLLATE utf8mb4_bin, t TEXT COLLATE utf8mb4_bin)",
        "INSERT INTO t VALUES ('a', 'a')",
    ],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut reading = Reading::by(driver, lab);
    reading.read::<String>("VARCHAR", "SELECT v FROM t").await?;
    reading.read::<String>("TEXT", "SELECT t FROM t").await?;
    reading.read::<String>("COLLATE", "SELECT v COLLATE utf8mb4_unicode_ci FROM t").await?;
    Ok(reading.answer())
}
