use super::inserted::{last_insert_id, which_row};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The program itself gives an AUTO_INCREMENT column its id: what is the last insert id?",
    meaning: "Where it is the row's, code that reads it works for rows with and without an id of their own.",
    setup: &["CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, n INT)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let id = last_insert_id(driver, &lab, "INSERT INTO t (id, n) VALUES (7, 1)").await?;
    which_row(&lab, id).await
}
