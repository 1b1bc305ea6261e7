use super::session::{our_text, text};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Which collation do a statement's literals have, and what is equal in it?",
    meaning: "What is equal here may differ in another client: compare columns, or name a literal's collation.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const SELECT: &str = "SELECT CONCAT(CAST(@@collation_connection AS CHAR), IF('a' = 'A', ', a = A', ', a <> A'), \
                      IF('🦀' = '🍣', ', 🦀 = 🍣', ', 🦀 <> 🍣'))";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    Ok(Answer::new(text(driver, &lab, &[], SELECT).await?))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    Ok(Answer::new(our_text(driver, &lab, &[], SELECT).await?))
}
