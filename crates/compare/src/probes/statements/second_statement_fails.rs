use super::{our_run_text, refusal, run_text};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Of three INSERTs in one text, the second fails: is the program told?",
    meaning: "A server stops at the first error and keeps what it did before: without a transaction, and a driver that tells, half the work is lost in silence.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const STATEMENTS: &str = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (3)";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let run = run_text(driver, &lab, STATEMENTS).await;
    answer(&lab, run).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let run = our_run_text(driver, &lab, STATEMENTS).await;
    answer(&lab, run).await
}

async fn answer(lab: &Lab, run: Result<(), BoxError>) -> Observed {
    let rows = lab.value("SELECT GROUP_CONCAT(id ORDER BY id) FROM t").await?;
    let answer = match run {
        Ok(()) => Answer::new("no: success is reported"),
        Err(error) => Answer::new(format!("yes: {}", refusal(&error))).with(error),
    };
    Ok(answer.with(format!("rows afterwards: {rows}")))
}
