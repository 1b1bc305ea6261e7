//! What a comparison has found: the form of its JSON.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{Costs, Driver};

/// One comparison, made at one time on one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When it began, in UTC: `2026-11-25T12:00:00Z`.
    pub date: String,
    /// The command that makes it again.
    pub command: String,
    /// What answered.
    pub server: Server,
    /// The version of each driver.
    pub drivers: BTreeMap<String, String>,
    /// One a question, in the order of the report.
    pub probes: Vec<Answers>,
    /// What it costs to depend on each crate, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub costs: Option<Costs>,
}

impl Run {
    /// The probes that were kept from their answers: id, crate, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.probes.iter().flat_map(move |probe| {
            probe.failed.iter().map(|(name, why)| (probe.id.as_str(), name.as_str(), why.as_str()))
        })
    }

    /// Whether it was made with the drivers that this program is built with.
    #[must_use]
    pub fn has_these_drivers(&self) -> bool {
        Driver::ALL.iter().all(|driver| self.drivers.get(driver.name()).is_some_and(|it| it == driver.version()))
    }
}

/// The server of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Which product it is.
    pub product: Product,
    /// The version without what another product's stands before it: `v8.5.3`.
    pub version: String,
}

/// The products that speak the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Product {
    /// TiDB
    TiDB,
    /// MariaDB
    MariaDB,
    /// MySQL, and what calls itself so
    MySQL,
}

impl Server {
    /// Reads the answer to `SELECT VERSION()`.
    #[must_use]
    pub fn from_version(text: &str) -> Self {
        if let Some((_, version)) = text.split_once("-TiDB-") {
            return Self { product: Product::TiDB, version: version.to_owned() };
        }
        let product = if text.contains("MariaDB") { Product::MariaDB } else { Product::MySQL };
        Self { product, version: text.to_owned() }
    }

    /// Whether it is TiDB.
    #[must_use]
    pub fn is_tidb(&self) -> bool {
        self.product == Product::TiDB
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.product, self.version)
    }
}

/// The answers to one question.
///
/// The keys of the maps are the names of crates: a driver's, such as `mysql_async`, for the driver as it comes; and
/// `tidb-connect-mysql-async` for the same question through this workspace's crate, where that changes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// The probe's name, which stays.
    pub id: String,
    /// The chapter that it stands in.
    pub chapter: String,
    /// What was asked.
    pub question: String,
    /// What was seen, in a few words.
    pub answers: BTreeMap<String, String>,
    /// What else was seen: values, errors, packets.
    pub evidence: BTreeMap<String, Vec<String>>,
    /// Why something could not be seen on this server, or by this user.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_observable: BTreeMap<String, String>,
    /// What kept a probe from its answer otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, String>,
    /// What the answers mean to an application. Without any answer, why the question is not asked here.
    pub meaning: String,
}

impl Answers {
    /// Whether the question is not asked here.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        self.answers.is_empty() && self.not_observable.is_empty() && self.failed.is_empty()
    }
}
