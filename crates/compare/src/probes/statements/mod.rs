use crate::probe::{Chapter, probes};

pub(super) const CHAPTER: Chapter =
    Chapter { name: "statements", title: "Statements", probes: probes![], declined: &[] };
