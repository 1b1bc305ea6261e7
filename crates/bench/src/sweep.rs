//! Several values of one setting, the others being the same: growth.

use std::collections::BTreeSet;

use crate::{Measured, Measurement, Point, Run, Workload, run::median};

/// A setting that can grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// How many tasks are at work.
    Tasks,
    /// The most connections.
    Connections,
    /// How many players there are.
    Rows,
    /// How many players a statement creates.
    Batch,
    /// How many statements of a load are under way at once.
    InFlight,
    /// What is added to a round trip.
    RoundTrip,
}

impl Dimension {
    /// All.
    pub const ALL: [Self; 6] =
        [Self::Tasks, Self::Connections, Self::Rows, Self::Batch, Self::InFlight, Self::RoundTrip];

    /// What stands behind a number of it: `tasks`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Connections => "connections",
            Self::Rows => "rows",
            Self::Batch => "rows a batch",
            Self::InFlight => "in flight",
            Self::RoundTrip => "ms added to a round trip",
        }
    }

    /// Its value; none where the workload does not have it.
    #[must_use]
    pub fn value(self, point: &Point) -> Option<u64> {
        match self {
            Self::Tasks => Some(point.tasks as u64),
            Self::Connections => Some(point.connections as u64),
            Self::Rows => Some(point.rows),
            Self::Batch => point.batch.map(|rows| rows as u64),
            Self::InFlight => point.in_flight.map(|statements| statements as u64),
            Self::RoundTrip => Some(point.round_trip_ms),
        }
    }

    /// Whether two points are the same but for this.
    fn is_all_between(self, one: &Point, other: &Point) -> bool {
        one.workload == other.workload
            && Self::ALL.iter().all(|&dimension| dimension == self || dimension.value(one) == dimension.value(other))
    }
}

/// What was measured at three points or more that are the same but for one setting. Two are told apart without a chart.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// What grows.
    pub dimension: Dimension,
    first: &'a Measurement,
    /// At the same point but for that, by its value.
    measurements: Vec<&'a Measurement>,
}

impl<'a> Sweep<'a> {
    /// What is done.
    #[must_use]
    pub fn workload(&self) -> Workload {
        self.first.point.workload
    }

    /// What stays the same: `10 connections, 10000 rows`.
    #[must_use]
    pub fn fixed(&self) -> String {
        let others = Dimension::ALL.into_iter().filter(|&dimension| dimension != self.dimension);
        let values = others.filter_map(|of| Some((of, of.value(&self.first.point).filter(|&value| value > 0)?)));
        values.map(|(of, value)| format!("{value} {}", of.name())).collect::<Vec<_>>().join(", ")
    }

    /// The values that it goes through.
    #[must_use]
    pub fn values(&self) -> Vec<u64> {
        self.measurements.iter().filter_map(|of| self.dimension.value(&of.point)).collect()
    }

    /// For each subject, what it did at each value.
    #[must_use]
    pub fn subjects(&self) -> Vec<Vec<(u64, &'a Point, &'a Measured)>> {
        let at = |of: &'a Measurement, subject: &Measured| {
            let found = of.subjects.iter().find(|other| other.subject == subject.subject)?;
            Some((self.dimension.value(&of.point)?, &of.point, found))
        };
        let along = |subject| self.measurements.iter().filter_map(|of| at(of, subject)).collect();
        self.first.subjects.iter().map(along).collect()
    }
}

/// What is seen of a subject along a [`Sweep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Operations a second; more is better.
    Operations,
    /// Rows that operations read or create, a second; more is better.
    Rows,
    /// The median latency in milliseconds, at a rate.
    Latency,
    /// The most that was held of the heap, in MiB.
    Heap,
}

impl Seen {
    /// How fast it is.
    #[must_use]
    pub fn speed(sweep: &Sweep<'_>, open: bool) -> Self {
        match sweep.first.point.rows_an_operation() {
            _ if open => Self::Latency,
            Some(_) => Self::Rows,
            None => Self::Operations,
        }
    }

    /// What it holds, where that was counted; that does not depend on the time for a round trip.
    #[must_use]
    pub fn heap(sweep: &Sweep<'_>) -> Option<Self> {
        let counted = sweep.measurements.iter().flat_map(|of| &of.subjects).any(|of| of.heap_bytes.is_some());
        (counted && sweep.dimension != Dimension::RoundTrip).then_some(Self::Heap)
    }

    /// In words: `operations a second`.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::Operations => "operations a second",
            Self::Rows => "rows a second",
            Self::Latency => "median latency in ms",
            Self::Heap => "MiB of heap at most",
        }
    }

    /// The rounds' median, least and most, where there is any: of the heap, which is counted once, three times the same.
    #[must_use]
    pub fn of(self, point: &Point, of: &Measured) -> Option<(f64, f64, f64)> {
        let rows = point.rows_an_operation().unwrap_or(1) as f64;
        let mut values: Vec<f64> = match self {
            Self::Operations => of.rounds.iter().map(|round| round.throughput).collect(),
            Self::Rows => of.rounds.iter().map(|round| round.throughput * rows).collect(),
            Self::Latency => of.rounds.iter().map(|round| round.p50_us / 1000.0).collect(),
            Self::Heap => of.heap_bytes.iter().map(|&bytes| bytes as f64 / f64::from(1 << 20)).collect(),
        };
        values.retain(|&value| value > 0.0);
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        Some((median(values)?, least, most))
    }
}

impl Run {
    /// The sweeps of a workload.
    #[must_use]
    pub fn sweeps(&self, workload: Workload) -> Vec<Sweep<'_>> {
        let mut sweeps: Vec<Sweep<'_>> = Vec::new();
        for dimension in Dimension::ALL {
            for measurement in self.measurements.iter().filter(|of| of.point.workload == workload) {
                let same = |other: &Measurement| dimension.is_all_between(&measurement.point, &other.point);
                let known = |sweep: &Sweep<'_>| sweep.dimension == dimension && same(sweep.first);
                if dimension.value(&measurement.point).is_none() || sweeps.iter().any(known) {
                    continue;
                }
                let mut measurements: Vec<_> = self.measurements.iter().filter(|other| same(other)).collect();
                measurements.sort_by_key(|of| dimension.value(&of.point));
                let values: BTreeSet<_> = measurements.iter().map(|of| dimension.value(&of.point)).collect();
                if let (Some(&first), true) = (measurements.first(), values.len() > 2) {
                    sweeps.push(Sweep { dimension, first, measurements });
                }
            }
        }
        sweeps
    }
}
