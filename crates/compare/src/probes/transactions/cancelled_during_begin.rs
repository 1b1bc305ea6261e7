use super::{
    TABLE,
    cancelled::{self, Moment},
};
use crate::probe::Probe;

pub(super) const PROBE: Probe = Probe {
    question: "A transaction's call is dropped while BEGIN waits: is it made, and what does the pool's next user get?",
    meaning: "A time-out is such a drop. A user who is in somebody's open transaction loses changes without an error.",
    setup: TABLE,
    as_it_comes: |driver, lab| Box::pin(cancelled::as_it_comes(driver, lab, Moment::Begin)),
    ours: Some(|driver, lab| Box::pin(cancelled::ours(driver, lab, Moment::Begin))),
};
