use super::session::{our_text, text};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Which time zone does a session have?",
    meaning: "A TIMESTAMP and NOW() are read and written in it; SYSTEM is the zone of the server, and may be any.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const SELECT: &str = "SELECT CAST(@@session.time_zone AS CHAR)";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    Ok(Answer::new(text(driver, &lab, &[], SELECT).await?))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    Ok(Answer::new(our_text(driver, &lab, &[], SELECT).await?))
}
