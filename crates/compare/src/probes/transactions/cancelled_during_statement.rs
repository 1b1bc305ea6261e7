use super::{
    TABLE,
    cancelled::{self, Moment},
};
use crate::probe::Probe;

pub(super) const PROBE: Probe = Probe {
    question: "A transaction's call is dropped while a statement waits: is it made, and what does the next user get?",
    meaning: "A blocking call does not end with the future that waits for it: it goes on in its thread, and commits.",
    setup: TABLE,
    as_it_comes: |driver, lab| Box::pin(cancelled::as_it_comes(driver, lab, Moment::Statement)),
    ours: Some(|driver, lab| Box::pin(cancelled::ours(driver, lab, Moment::Statement))),
};
