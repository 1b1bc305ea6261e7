use super::inserted::{last_insert_id, our_last_insert_id, which_row};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "INSERT … ON DUPLICATE KEY UPDATE meets a row, and changes it or not: what is the last insert id?",
    meaning: "To get the id of the row whatever happens, add `id = LAST_INSERT_ID(id)` to the update.",
    setup: &[
        "CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(9) UNIQUE, n INT)",
        "INSERT INTO t VALUES (5, 'Ann', 2), (6, 'Bob', 3)",
    ],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const UPSERT: &str = "INSERT INTO t (name, n) VALUES ('Ann', 1) ON DUPLICATE KEY UPDATE n = 1";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let changed = which_row(&lab, last_insert_id(driver, &lab, UPSERT).await?).await?;
    let unchanged = which_row(&lab, last_insert_id(driver, &lab, UPSERT).await?).await?;
    Ok(answer(changed, unchanged))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let changed = which_row(&lab, our_last_insert_id(driver, &lab, UPSERT).await?).await?;
    let unchanged = which_row(&lab, our_last_insert_id(driver, &lab, UPSERT).await?).await?;
    Ok(answer(changed, unchanged))
}

fn answer(changed: Answer, unchanged: Answer) -> Answer {
    let text = format!("changed: {}; unchanged: {}", changed.text, unchanged.text);
    changed.evidence.into_iter().chain(unchanged.evidence).fold(Answer::new(text), Answer::with)
}
