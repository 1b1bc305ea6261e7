//! What two runs answer differently.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Answers, Run, Server};

/// What has changed from one run to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// When the earlier run was made.
    pub since: String,
    /// The earlier run's server.
    pub server: Server,
    /// The versions of drivers that are not the same.
    pub drivers: Vec<Change>,
    /// Answers that are not the same.
    pub answers: Vec<Change>,
}

/// Something that was one thing and is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The probe; of a version, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The crate.
    pub name: String,
    /// What was; none where it was not asked, or had no answer.
    pub before: Option<String>,
    /// What is; none where it is not asked any more, or has no answer.
    pub after: Option<String>,
}

impl Changes {
    /// What `run` answers otherwise than `earlier`. What it does not ask, because less was wanted, is no change.
    #[must_use]
    pub fn between(earlier: &Run, run: &Run) -> Self {
        let asked = run.probes.iter().flat_map(|probe| {
            let was = earlier.probes.iter().find(|was| was.id == probe.id);
            differing(was.map(|was| &was.answers), &probe.answers, |name| probe.has(name), Some(&probe.id))
        });
        Self {
            since: earlier.date.clone(),
            server: earlier.server.clone(),
            drivers: differing(Some(&earlier.drivers), &run.drivers, |_| true, None),
            answers: asked.collect(),
        }
    }
}

/// The entries that differ, among those that `wanted` names.
fn differing(
    before: Option<&BTreeMap<String, String>>,
    after: &BTreeMap<String, String>,
    wanted: impl Fn(&str) -> bool,
    id: Option<&String>,
) -> Vec<Change> {
    let mut names: Vec<&String> = before.into_iter().flat_map(BTreeMap::keys).chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let changes = names.into_iter().filter(|name| wanted(name)).map(|name| Change {
        id: id.cloned(),
        name: name.clone(),
        before: before.and_then(|before| before.get(name)).cloned(),
        after: after.get(name).cloned(),
    });
    changes.filter(|change| change.before != change.after).collect()
}

impl Answers {
    /// Whether the crate of this name was looked at.
    fn has(&self, name: &str) -> bool {
        self.answers.contains_key(name) || self.not_observable.contains_key(name) || self.failed.contains_key(name)
    }
}
