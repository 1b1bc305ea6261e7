use crate::probe::{Chapter, probes};

pub(super) const CHAPTER: Chapter =
    Chapter { name: "transactions", title: "Transactions", probes: probes![], declined: &[] };
