mod statement_log;

use crate::probe::{Chapter, Declined, probes};

pub(super) const CHAPTER: Chapter = Chapter {
    name: "engineering",
    title: "Engineering",
    probes: probes![statement_log],
    declined: &[Declined {
        id: "maintenance",
        question: "How well is the driver looked after: its last release, its open defects?",
        reason: "That needs the network, and is out of date the next day: see each driver's own pages.",
    }],
};
