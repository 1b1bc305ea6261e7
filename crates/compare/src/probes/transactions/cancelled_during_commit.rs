use super::{
    TABLE,
    cancelled::{self, Moment},
};
use crate::probe::Probe;

pub(super) const PROBE: Probe = Probe {
    question: "A transaction's call is dropped while COMMIT waits: is it made, and what does the next user get?",
    meaning: "A caller that gave up does not know whether its transaction was committed: it has to look.",
    setup: TABLE,
    as_it_comes: |driver, lab| Box::pin(cancelled::as_it_comes(driver, lab, Moment::Commit)),
    ours: Some(|driver, lab| Box::pin(cancelled::ours(driver, lab, Moment::Commit))),
};
