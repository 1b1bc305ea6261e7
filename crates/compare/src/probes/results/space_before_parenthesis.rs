use super::session::{our_text, text};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Does `SELECT COUNT (*)`, with a space, work?",
    meaning: "It does where the driver asks for `IGNORE_SPACE` at login and the server grants it, and nowhere else.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const SELECT: &str = "SELECT CONCAT(COUNT (*), ' row')";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    answer(text(driver, &lab, &[], SELECT).await)
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    answer(our_text(driver, &lab, &[], SELECT).await)
}

fn answer(counted: Result<String, BoxError>) -> Observed {
    match counted {
        Ok(text) => Ok(Answer::new(text)),
        Err(error) if error.to_string().contains("1064") => Ok(Answer::new("syntax error").with(error)),
        Err(error) => Err(error),
    }
}
