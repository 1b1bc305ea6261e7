//! What we make of the answers. Everything else in a report is observed.

use serde::Serialize;

/// A step of the way to a driver.
#[derive(Serialize)]
pub(crate) struct Question {
    /// What holds for the reader's program.
    pub(crate) when: &'static str,
    /// What we would do then; none where it depends.
    pub(crate) then: Option<&'static str>,
    /// The probes that it rests on.
    pub(crate) because: &'static [&'static str],
    /// On what it depends.
    pub(crate) further: &'static [Question],
}

/// The way to a driver.
pub(crate) const ADVICE: &[Question] = &[];

/// The probes whose answers surprise people who know one of the drivers.
pub(crate) const SURPRISES: &[&str] = &[];
