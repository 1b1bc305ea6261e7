use super::inserted::{last_insert_id, which_row};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "INSERT … ON DUPLICATE KEY UPDATE changes a row that is there: what is the last insert id?",
    meaning: "To get the id of the row in either case, add `id = LAST_INSERT_ID(id)` to the update.",
    setup: &[
        "CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(9) UNIQUE, n INT)",
        "INSERT INTO t VALUES (5, 'Ann', 1), (6, 'Bob', 2)",
    ],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let upsert = "INSERT INTO t (name, n) VALUES ('Ann', 3) ON DUPLICATE KEY UPDATE n = 3";
    let id = last_insert_id(driver, &lab, upsert).await?;
    which_row(&lab, id).await
}
