use tidb_connect_core::{Error, ErrorKind, Result};

use crate::{
    Driver,
    probe::{Chapter, Probe},
    probes::CHAPTERS,
};

/// Which probes and drivers a comparison takes.
#[derive(Clone, Debug)]
pub struct Selection {
    drivers: Vec<Driver>,
    /// Probes and chapters by name; all when empty.
    only: Vec<String>,
}

/// A question of a comparison.
pub(crate) struct Asked {
    pub(crate) id: &'static str,
    pub(crate) chapter: &'static str,
    pub(crate) question: &'static str,
    /// What its answers mean, or why it is not asked here.
    pub(crate) meaning: &'static str,
    pub(crate) probe: Option<&'static Probe>,
}

impl Selection {
    /// The probes, and the chapters, of these names, for these drivers. Where either is empty, all are meant.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) when there is no probe or chapter of a name.
    pub fn new(drivers: Vec<Driver>, only: Vec<String>) -> Result<Self> {
        let drivers = if drivers.is_empty() { Driver::ALL.to_vec() } else { drivers };
        let all = Self { drivers, only: Vec::new() };
        let known =
            |name: &str| CHAPTERS.iter().any(|chapter| chapter.name == name || asked(chapter).any(|it| it.id == name));
        if let Some(unknown) = only.iter().find(|name| !known(name)) {
            let chapters = CHAPTERS.iter().map(|chapter| {
                let ids: Vec<_> = asked(chapter).map(|asked| asked.id).collect();
                format!("{} ({})", chapter.name, ids.join(", "))
            });
            let known = chapters.collect::<Vec<_>>().join("; ");
            let message = format!("--only knows no probe and no chapter {unknown:?}: it knows {known}");
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self { only, ..all })
    }

    /// The drivers, each once, in the order of reports.
    pub(crate) fn drivers(&self) -> &[Driver] {
        &self.drivers
    }

    /// The questions in the order of the report.
    pub(crate) fn probes(&self) -> Vec<Asked> {
        let wanted = |chapter: &Chapter, id: &str| {
            self.only.is_empty() || self.only.iter().any(|name| name == id || name == chapter.name)
        };
        let chapters = CHAPTERS.iter();
        chapters.flat_map(|chapter| asked(chapter).filter(|it| wanted(chapter, it.id))).collect()
    }
}

fn asked(chapter: &'static Chapter) -> impl Iterator<Item = Asked> {
    let probes = chapter.probes.iter().map(|listed| Asked {
        id: listed.id,
        chapter: chapter.title,
        question: listed.probe.question,
        meaning: listed.probe.meaning,
        probe: Some(&listed.probe),
    });
    let declined = chapter.declined.iter().map(|declined| Asked {
        id: declined.id,
        chapter: chapter.title,
        question: declined.question,
        meaning: declined.reason,
        probe: None,
    });
    probes.chain(declined)
}
