use crate::probe::{Chapter, probes};

pub(super) const CHAPTER: Chapter =
    Chapter { name: "engineering", title: "Engineering", probes: probes![], declined: &[] };
