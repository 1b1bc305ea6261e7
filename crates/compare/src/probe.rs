//! What a probe is, and what it brings back.

use std::fmt;

use futures_util::future::BoxFuture;
use tidb_connect_core::BoxError;

use crate::{Driver, lab::Lab};

/// One question, and how each driver is made to answer it.
#[derive(Debug)]
pub(crate) struct Probe {
    /// In the words of a person who writes a program.
    pub(crate) question: &'static str,
    /// What the answers mean to an application, whatever they are.
    pub(crate) meaning: &'static str,
    /// Statements that are run before every observation, in an empty database.
    pub(crate) setup: &'static [&'static str],
    /// Through the driver, with nothing set but where the server is.
    pub(crate) as_it_comes: Observer,
    /// Through this workspace's crate for the driver, where that changes something.
    pub(crate) ours: Option<Observer>,
}

impl Probe {
    /// Each with whether it looks at this workspace's crate.
    pub(crate) fn observers(&self) -> impl Iterator<Item = (bool, Observer)> {
        [(false, self.as_it_comes)].into_iter().chain(self.ours.map(|ours| (true, ours)))
    }
}

/// Observes one driver.
pub(crate) type Observer = fn(Driver, Lab) -> BoxFuture<'static, Observed>;

/// An answer; or a [`NotObservable`](crate::lab::NotObservable), a server's refusal for want of a privilege, or what else kept the probe from it.
pub(crate) type Observed = Result<Answer, BoxError>;

/// What a driver did.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Short, and the same in every run as long as the driver and the server do the same: no ids, no times.
    pub(crate) text: String,
    /// What else was seen: values, errors, times.
    pub(crate) evidence: Vec<String>,
}

impl Answer {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), evidence: Vec::new() }
    }

    pub(crate) fn with(mut self, evidence: impl fmt::Display) -> Self {
        self.evidence.push(evidence.to_string());
        self
    }
}

/// The probes that belong together.
#[derive(Debug)]
pub(crate) struct Chapter {
    /// The name of its folder.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) probes: &'static [Listed],
    pub(crate) declined: &'static [Declined],
}

/// A probe in its chapter. Its module's name is its id.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) id: &'static str,
    pub(crate) source: &'static str,
    pub(crate) probe: Probe,
}

/// A question that is not asked of the drivers here, and why.
#[derive(Debug)]
pub(crate) struct Declined {
    pub(crate) id: &'static str,
    pub(crate) question: &'static str,
    pub(crate) reason: &'static str,
}

/// Lists modules, each of which has a `PROBE` and is a file beside the caller's.
macro_rules! probes {
    ($($module:ident)*) => {
        &[$($crate::probe::Listed {
            id: stringify!($module),
            source: include_str!(concat!(stringify!($module), ".rs")),
            probe: $module::PROBE,
        }),*]
    };
}
pub(crate) use probes;

/// An [`Observer`] of a function `async fn(Driver, Lab) -> Observed`.
macro_rules! observer {
    ($function:path) => {
        |driver, lab| Box::pin($function(driver, lab))
    };
}
pub(crate) use observer;
