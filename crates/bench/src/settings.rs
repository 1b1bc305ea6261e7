//! What is measured.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use tidb_connect_core::{Error, ErrorKind, Result, players::sql::MAX_ROWS};

/// What a bench measures, and for how long. Of several values, each is measured with each of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The drivers: `sqlx`, `mysql`, `mysql_async`.
    pub drivers: Vec<String>,
    /// What is done.
    pub workloads: Vec<Workload>,
    /// How many tasks do it at once.
    pub tasks: Vec<usize>,
    /// The most connections that a subject may open.
    pub connections: Vec<usize>,
    /// How many players there are before it begins.
    pub rows: Vec<u64>,
    /// How many players a bulk load creates with one statement.
    pub batch: Vec<usize>,
    /// How many statements a [`Load`](Workload::Load) keeps under way at once.
    pub in_flight: Vec<usize>,
    /// Added to each round trip, in milliseconds. With 0 connections go to the server itself.
    pub round_trip_ms: Vec<u64>,
    /// How many operations begin in a second, by all tasks together. Without it each task begins its next one when its
    /// last one has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How often each subject's turn comes. One round more goes first and is not counted.
    pub rounds: usize,
    /// What is counted of a round, in seconds.
    pub round_seconds: f64,
    /// What goes before that in each round, in seconds, while connections wake.
    pub warm_up_seconds: f64,
}

/// What the tasks do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// Reads a player by its id.
    PointRead,
    /// Reads a player by its name.
    ByName,
    /// Reads all players, [`PAGE`](Self::PAGE) at a time.
    Scan,
    /// Trades between two of all players, so that hardly any two trades meet.
    TradeCold,
    /// Trades between two of the first [`HOT`](Self::HOT) players, so that trades wait for one another.
    TradeHot,
    /// Of 20 operations 14 read by id, 2 by name, 2 create a player, 2 trade as [`TradeCold`](Self::TradeCold).
    Mixed,
    /// Creates a player.
    Create,
    /// Creates a batch of players with one statement.
    BulkLoad,
    /// Creates as many players as there were in the beginning, in batches, with several statements under way at once. Who
    /// has no such call (a bare driver, its pool, a blocking interface) makes one statement after the other on one
    /// connection.
    Load,
}

impl Workload {
    /// All, in the order of measuring.
    pub const ALL: [Self; 9] = [
        Self::PointRead,
        Self::ByName,
        Self::Scan,
        Self::TradeCold,
        Self::TradeHot,
        Self::Mixed,
        Self::Create,
        Self::BulkLoad,
        Self::Load,
    ];

    /// The players that a statement of a [`Scan`](Self::Scan) reads.
    pub const PAGE: u32 = 1000;

    /// The players of a [`TradeHot`](Self::TradeHot).
    pub const HOT: usize = 8;

    /// As in JSON: `point_read`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PointRead => "point_read",
            Self::ByName => "by_name",
            Self::Scan => "scan",
            Self::TradeCold => "trade_cold",
            Self::TradeHot => "trade_hot",
            Self::Mixed => "mixed",
            Self::Create => "create",
            Self::BulkLoad => "bulk_load",
            Self::Load => "load",
        }
    }

    /// What one operation is.
    #[must_use]
    pub fn operation(self) -> &'static str {
        match self {
            Self::PointRead => "read a player by its id",
            Self::ByName => "read a player by its name",
            Self::Scan => "read all players, 1000 at a time",
            Self::TradeCold => "trade between two of all players",
            Self::TradeHot => "trade between two of the same 8 players",
            Self::Mixed => "of 20: 14 reads by id, 2 by name, 2 creates, 2 trades between two of all players",
            Self::Create => "create a player",
            Self::BulkLoad => "create a batch of players with one statement",
            Self::Load => "create as many players as there were, in batches, several of them in flight",
        }
    }

    /// Whether it creates players in batches.
    pub(crate) fn is_bulk(self) -> bool {
        matches!(self, Self::BulkLoad | Self::Load)
    }

    /// Whether there are more players afterwards.
    pub(crate) fn grows(self) -> bool {
        self.is_bulk() || matches!(self, Self::Mixed | Self::Create)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One of the combinations of [`Settings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// What is done.
    pub workload: Workload,
    /// How many tasks do it at once.
    pub tasks: usize,
    /// The most connections that a subject may open.
    pub connections: usize,
    /// How many players there were before it began.
    pub rows: u64,
    /// How many players a bulk load creates with one statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// How many statements a load keeps under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<usize>,
    /// Added to each round trip, in milliseconds.
    pub round_trip_ms: u64,
}

impl Point {
    /// How many rows an operation reads or creates, where that is what it is for.
    #[must_use]
    pub fn rows_an_operation(&self) -> Option<u64> {
        match self.workload {
            Workload::Scan | Workload::Load => Some(self.rows),
            Workload::BulkLoad => self.batch.map(|rows| rows as u64),
            _ => None,
        }
    }
}

/// Without the workload: `32 tasks, 10 connections, 10000 rows`.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tasks, connections, rows, .. } = self;
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(f, "{tasks} task{}, {connections} connection{}, {rows} rows", plural(*tasks), plural(*connections))?;
        if let Some(batch) = self.batch {
            write!(f, ", {batch} a batch")?;
        }
        if let Some(in_flight) = self.in_flight {
            write!(f, ", {in_flight} in flight")?;
        }
        if self.round_trip_ms > 0 {
            write!(f, ", {} ms added to a round trip", self.round_trip_ms)?;
        }
        Ok(())
    }
}

impl Settings {
    /// The combinations, in the order of measuring: workloads that only read come before those that add players.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for &rows in &self.rows {
            for workload in Workload::ALL.into_iter().filter(|workload| self.workloads.contains(workload)) {
                let known = |has: bool, values: &[usize]| match has {
                    true => values.iter().copied().map(Some).collect(),
                    false => vec![None],
                };
                let batches = known(workload.is_bulk(), &self.batch);
                let in_flights = known(workload == Workload::Load, &self.in_flight);
                let bulk =
                    batches.iter().flat_map(|&batch| in_flights.iter().map(move |&in_flight| (batch, in_flight)));
                let bulk: Vec<_> = bulk.collect();
                for &round_trip_ms in &self.round_trip_ms {
                    for &(batch, in_flight) in &bulk {
                        for &connections in &self.connections {
                            points.extend(self.tasks.iter().map(|&tasks| Point {
                                workload,
                                tasks,
                                connections,
                                rows,
                                batch,
                                in_flight,
                                round_trip_ms,
                            }));
                        }
                    }
                }
            }
        }
        points
    }

    /// Refuses what cannot be measured.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config), with what is wrong.
    pub fn validate(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::new(ErrorKind::Config, message));
        if self.points().is_empty() || self.drivers.is_empty() || self.rounds == 0 {
            return wrong("there is nothing to measure".to_owned());
        }
        if self.tasks.contains(&0) || self.connections.contains(&0) {
            return wrong("there must be at least one task and one connection".to_owned());
        }
        if self.rows.iter().any(|&rows| rows < Workload::HOT as u64) {
            return wrong(format!("there must be at least {} rows, between which hot trades are made", Workload::HOT));
        }
        if self.batch.iter().any(|batch| !(1..=MAX_ROWS).contains(batch)) {
            return wrong(format!("a batch has 1 to {MAX_ROWS} rows"));
        }
        if self.in_flight.contains(&0) {
            return wrong("at least one statement is in flight".to_owned());
        }
        let seconds = |seconds: f64| (0.0..=3600.0).contains(&seconds);
        if !seconds(self.round_seconds) || self.round_seconds == 0.0 || !seconds(self.warm_up_seconds) {
            return wrong("a round takes more than 0 s and at most 3600 s, and so does its warm-up".to_owned());
        }
        if self.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 1e6)) {
            return wrong("a rate is more than 0 and at most 1,000,000 operations a second".to_owned());
        }
        Ok(())
    }

    /// Whether what is compared is latency at a rate, and not throughput.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.rate.is_some()
    }

    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up_seconds)
    }

    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs_f64(self.round_seconds)
    }
}
