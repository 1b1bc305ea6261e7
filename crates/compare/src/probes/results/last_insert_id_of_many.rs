use super::inserted::{last_insert_id, which_row};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "One INSERT makes three rows: which row's id is the last insert id?",
    meaning: "It is one id only: the other rows' ids follow from it only as far as the server promises it.",
    setup: &["CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, n INT)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let id = last_insert_id(driver, &lab, "INSERT INTO t (n) VALUES (1), (2), (3)").await?;
    which_row(&lab, id).await
}
