mod unchanged_row_affected;

use crate::probe::{Chapter, probes};

pub(super) const CHAPTER: Chapter =
    Chapter { name: "results", title: "Results and types", probes: probes![unchanged_row_affected], declined: &[] };
