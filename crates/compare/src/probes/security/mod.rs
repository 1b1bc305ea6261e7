use crate::probe::{Chapter, probes};

pub(super) const CHAPTER: Chapter = Chapter { name: "security", title: "Security", probes: probes![], declined: &[] };
