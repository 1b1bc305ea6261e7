use super::session::{our_text, text};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "What is `'a' || 'b'`?",
    meaning: "Where it is ab, `||` joins texts; elsewhere it is OR, as in other clients: write CONCAT or OR.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const SELECT: &str = "SELECT CAST('a' || 'b' AS CHAR)";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    Ok(Answer::new(text(driver, &lab, &[], SELECT).await?))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    Ok(Answer::new(our_text(driver, &lab, &[], SELECT).await?))
}
