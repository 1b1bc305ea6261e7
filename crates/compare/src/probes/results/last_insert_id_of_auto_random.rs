use super::inserted::{last_insert_id, which_row};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The ids of three new rows come from AUTO_RANDOM: which row's is the last insert id?",
    meaning: "Rows that are needed again one by one are inserted one by one, or get their ids from the program.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    if !lab.server().is_tidb() {
        return Err(NotObservable::here("AUTO_RANDOM is only in TiDB"));
    }
    lab.sql("CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_RANDOM, n INT)").await?;
    let id = last_insert_id(driver, &lab, "INSERT INTO t (n) VALUES (1), (2), (3)").await?;
    which_row(&lab, id).await
}
