//! The questions: a folder a chapter, a file a probe.

mod engineering;
mod results;
mod security;
mod sessions;
mod statements;
mod transactions;

use crate::probe::Chapter;

/// In the order of the report.
pub(crate) const CHAPTERS: &[Chapter] = &[
    results::CHAPTER,
    statements::CHAPTER,
    transactions::CHAPTER,
    sessions::CHAPTER,
    security::CHAPTER,
    engineering::CHAPTER,
];

/// The text of the probe's file.
pub(crate) fn source_of(id: &str) -> Option<&'static str> {
    CHAPTERS.iter().flat_map(|chapter| chapter.probes).find(|listed| listed.id == id).map(|listed| listed.source)
}

/// What every probe begins with.
mod prelude {
    pub(super) use mysql::prelude::Queryable as _;
    pub(super) use mysql_async::prelude::Queryable as _;
    pub(super) use tidb_connect_core::BoxError;

    pub(super) use crate::{
        Driver,
        lab::{Lab, NotObservable, blocking},
        probe::{Answer, Observed, Probe, observer},
    };
}
