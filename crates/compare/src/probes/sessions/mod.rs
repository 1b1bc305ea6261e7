use crate::probe::{Chapter, probes};

pub(super) const CHAPTER: Chapter =
    Chapter { name: "sessions", title: "Pool and session", probes: probes![], declined: &[] };
