use super::{our_run_text, refusal, run_text};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Two statements stand in one text, without parameters: do both run?",
    meaning: "Where they do, a value pasted into such a text can bring a statement of its own: bind every value.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const STATEMENTS: &str = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let run = run_text(driver, &lab, STATEMENTS).await;
    answer(&lab, run).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let run = our_run_text(driver, &lab, STATEMENTS).await;
    answer(&lab, run).await
}

async fn answer(lab: &Lab, run: Result<(), BoxError>) -> Observed {
    let rows = lab.value("SELECT COUNT(*) FROM t").await?;
    match run {
        Ok(()) if rows == "2" => Ok(Answer::new("yes")),
        Ok(()) => Ok(Answer::new(format!("no, and without an error: {rows} of 2"))),
        Err(error) => Ok(Answer::new(format!("no: {}", refusal(&error))).with(error)),
    }
}
