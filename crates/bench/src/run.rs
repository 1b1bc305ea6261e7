//! What a bench has found: the form of its JSON.

use std::{collections::BTreeMap, env, thread};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::{Point, Settings, load::Tally};

/// One bench, made at one time on one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// When it began, in UTC: `2026-11-25T12:00:00Z`.
    pub date: String,
    /// The command that makes it again.
    pub command: String,
    /// The server's version as it reports it: `8.0.11-TiDB-v8.5.3`.
    pub server: String,
    /// Where it was made.
    pub machine: Machine,
    /// The version of each driver.
    pub drivers: BTreeMap<String, String>,
    /// What was measured.
    pub settings: Settings,
    /// One a point of the settings, in the order of measuring.
    pub measurements: Vec<Measurement>,
}

/// The machine of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The operating system: `linux`.
    pub os: String,
    /// The processor's architecture: `x86_64`.
    pub architecture: String,
    /// The cores that the bench could use, where the system tells.
    pub cores: Option<usize>,
    /// Whether the bench was compiled with optimisations; without them, its times say little.
    pub optimized: bool,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        Self {
            os: env::consts::OS.to_owned(),
            architecture: env::consts::ARCH.to_owned(),
            cores: thread::available_parallelism().ok().map(Into::into),
            optimized: !cfg!(debug_assertions),
        }
    }
}

/// What all subjects did at one point of the settings, in turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was done, and by how many.
    #[serde(flatten)]
    pub point: Point,
    /// In the order of their turns.
    pub subjects: Vec<Measured>,
}

/// What one subject did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Its name: a crate's, such as `sqlx` for the bare driver on held connections, `sqlx-pool` for the driver's own pool,
    /// and `tidb-connect-sqlx` for this workspace's crate.
    pub subject: String,
    /// Its driver.
    pub driver: String,
    /// One a turn.
    pub rounds: Vec<Round>,
    /// Of all rounds together.
    pub latency_us: Latency,
    /// The most that it held of the heap at once, in bytes, from before it connected to the end of its first turn, which is
    /// not counted otherwise: connections, buffers, rows; and, the same for all, the bench's own for the tasks of that
    /// turn, their operations and the added round-trip time. It is what was asked for, used or not: the `mysql` driver asks
    /// for two buffers of 4 MiB a connection, of which the system gives what is written to. Stacks of threads are not in it,
    /// nor what the system keeps for sockets; what a program allocates once is in whoever comes first. None where the
    /// program did not count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_bytes: Option<u64>,
    /// What the first operation said that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
    /// How much longer it took than the bare driver in the same round; none for the bare driver itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
}

/// One turn of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that failed. They are in no other number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: u64,
    /// Operations that were due at the given rate, and had not begun a whole round after its end. In the percentiles they
    /// count with the time that they had waited until then.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_started: u64,
    /// Operations a second, from the beginning of the first to the end of the last.
    pub throughput: f64,
    /// The median latency, in microseconds.
    pub p50_us: f64,
    /// The 99th percentile of the latency, in microseconds.
    pub p99_us: f64,
}

/// Percentiles of the latency of operations that succeeded, in microseconds and right to a thousandth. In a closed loop it
/// is counted from when an operation began, at a rate from when it was due.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half take no longer.
    pub p50: f64,
    /// Of 10, 9 take no longer.
    pub p90: f64,
    /// Of 100, 99 take no longer.
    pub p99: f64,
    /// Of 1000, 999 take no longer.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

/// The time that an operation takes, as a multiple of the bare driver's in the same round: of the throughputs' inverses in
/// a closed loop, of the median latencies at a rate. 1.1 is a tenth longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The subject that has 1.
    pub to: String,
    /// Half of the rounds had no more.
    pub median: f64,
    /// The round that had least.
    pub min: f64,
    /// The round that had most.
    pub max: f64,
}

impl Measured {
    /// The median of the rounds' throughputs.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.throughput).collect()).unwrap_or_default()
    }

    /// How many operations failed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.rounds.iter().map(|round| round.errors).sum()
    }

    /// Compares with `bare`, round by round.
    pub(crate) fn compare(&mut self, bare: &Self, open: bool) {
        let ratio = |(own, bare): (&Round, &Round)| {
            let (longer, shorter) = if open { (own.p50_us, bare.p50_us) } else { (bare.throughput, own.throughput) };
            // A round without any operation has none.
            (shorter > 0.0 && longer > 0.0).then_some(longer / shorter)
        };
        let ratios: Vec<f64> = self.rounds.iter().zip(&bare.rounds).filter_map(ratio).collect();
        let (min, max) =
            ratios.iter().fold((f64::INFINITY, 0.0_f64), |(min, max), &ratio| (ratio.min(min), ratio.max(max)));
        let to = bare.subject.clone();
        self.ratio = median(ratios).map(|median| {
            let [median, min, max] = [median, min, max].map(rounded);
            Ratio { to, median, min, max }
        });
    }
}

impl From<&Tally> for Round {
    fn from(tally: &Tally) -> Self {
        Self {
            operations: tally.operations,
            errors: tally.errors,
            not_started: tally.not_started,
            throughput: rounded(tally.throughput),
            p50_us: percentile(&tally.latencies, 0.5),
            p99_us: percentile(&tally.latencies, 0.99),
        }
    }
}

impl From<&Tally> for Latency {
    fn from(tally: &Tally) -> Self {
        let of = |quantile| percentile(&tally.latencies, quantile);
        Self { p50: of(0.5), p90: of(0.9), p99: of(0.99), p999: of(0.999), max: of(1.0) }
    }
}

/// In microseconds.
fn percentile(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    rounded(latencies.value_at_quantile(quantile) as f64 / 1000.0)
}

/// To four digits and no more than are whole, which is finer than what is measured, and comes back from JSON as it was.
fn rounded(value: f64) -> f64 {
    let places = if value > 0.0 { (3.0 - value.log10().floor()).max(0.0) } else { 0.0 };
    let scale = 10_f64.powf(places);
    (value * scale).round() / scale
}

pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
