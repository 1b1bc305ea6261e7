//! A run, and its tables.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::worker::{Sample, Work};

/// A run with all that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// As `2026-11-25`.
    pub(crate) date: String,
    /// As `tidb-v8.5.3`.
    pub(crate) server: String,
    /// What was typed, so that it can be typed again.
    pub(crate) command: String,
    pub(crate) cores: usize,
    /// Whom the others are compared with.
    pub(crate) base: String,
    /// Rows of a whole bulk load, and of a batch.
    pub(crate) rows: (usize, usize),
    /// Everybody who was to take part.
    pub(crate) peers: Vec<Standing>,
    pub(crate) cells: Vec<Cell>,
}

/// A peer's round trips, or why there are none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    Ready(RoundTrips),
    Missing { peer: String, reason: String },
}

/// Round trips that one operation takes on a warm connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct RoundTrips {
    pub(crate) peer: String,
    pub(crate) version: String,
    /// The whole reference run, from logging in to logging out.
    pub(crate) run: f64,
    pub(crate) read: f64,
    pub(crate) create: f64,
    pub(crate) trade: f64,
    pub(crate) batch: f64,
}

/// One peer's share of one measurement.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) peer: String,
    pub(crate) work: Work,
    /// What was added to the round-trip time.
    pub(crate) round_trip_ms: u64,
    pub(crate) tasks: usize,
    /// One for each round, unless that failed.
    pub(crate) samples: Vec<Option<Sample>>,
    /// Why the last of the rounds that failed did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Run {
    fn cell(&self, like: &Cell, peer: &str) -> Option<&Cell> {
        let column = |cell: &Cell| (cell.work, cell.round_trip_ms, cell.tasks);
        self.cells.iter().find(|cell| column(cell) == column(like) && cell.peer == peer)
    }

    /// How many times the base's rate a cell's is: in the middle, at least and at most, over the rounds.
    fn ratios(&self, cell: &Cell) -> Option<[f64; 3]> {
        let base = self.cell(cell, &self.base)?;
        let rounds = cell.samples.iter().zip(&base.samples);
        spread(rounds.filter_map(|(sample, base)| Some(sample.as_ref()?.rate() / base.as_ref()?.rate())).collect())
    }

    fn table(&self, out: &mut impl fmt::Write, work: Work, peers: &[&str]) -> fmt::Result {
        let Some(first) = self.cells.iter().find(|cell| cell.work == work) else { return Ok(()) };
        let columns = Vec::from_iter(self.cells.iter().filter(|cell| cell.work == work && cell.peer == first.peer));
        let best = |column: &Cell| {
            let all = peers.iter().filter_map(|peer| Some(self.ratios(self.cell(column, peer)?)?[0]));
            all.fold(0.0, f64::max)
        };
        writeln!(out, "\n## {}\n", title(work))?;
        let heads = columns.iter().map(|cell| match cell.tasks {
            1 => format!("+{} ms, 1 task", cell.round_trip_ms),
            tasks => format!("+{} ms, {tasks} tasks", cell.round_trip_ms),
        });
        row(out, "peer", heads)?;
        row(out, "---", columns.iter().map(|_| "---:".to_owned()))?;
        for peer in peers {
            let cells = columns.iter().map(|column| {
                let cell = self.cell(column, peer)?;
                let [middle, least, most] = self.ratios(cell)?;
                let text = if *peer == self.base {
                    let [middle, ..] = spread(cell.samples.iter().flatten().map(Sample::rate).collect())?;
                    format!("1 = {middle:.0}/s")
                } else {
                    format!("{middle:.2} ({least:.2}–{most:.2})")
                };
                Some(if middle >= best(column) { format!("**{text}**") } else { text })
            });
            row(out, peer, cells.map(|text| text.unwrap_or_else(|| "–".into())))?;
        }
        let mut notes = Vec::new();
        for cell in self.cells.iter().filter(|cell| cell.work == work) {
            let Cell { peer, round_trip_ms, tasks, error, .. } = cell;
            if let Some(error) = error {
                notes.push(format!("{peer}, +{round_trip_ms} ms, tasks {tasks}, failed: {error}"));
            }
        }
        if work == Work::Load {
            let loads = self.cells.iter().filter(|cell| cell.work == work).flat_map(|cell| cell.samples.iter().flatten());
            let (all, whole) = loads.fold((0, 0), |(all, whole), load| {
                (all + 1, whole + usize::from(load.operations >= self.rows.0 as u64))
            });
            notes.push(format!("{whole} of {all} loads stored all {} rows in the time; rates count all the same", self.rows.0));
        }
        list(out, notes.into_iter())
    }

    fn markdown(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let Self { date, server, command, cores, base, rows: (_, batch), .. } = self;
        writeln!(out, "# Peers on {server}\n\n{date}, {cores} cores, `{command}`.")?;
        writeln!(
            out,
            "Rates as multiples of {base}'s in the same round: the median, and the least and the most of all rounds. \
             Above 1 is faster than {base}; the fastest is bold."
        )?;
        writeln!(out, "\n## Round trips on a warm connection\n")?;
        let heads =
            ["read", "create", "trade", &format!("batch of {batch}"), "reference run, from login on", "version"];
        row(out, "peer", heads.into_iter().map(str::to_owned))?;
        row(out, "---", ["---:", "---:", "---:", "---:", "---:", "---"].into_iter().map(str::to_owned))?;
        let mut peers = Vec::new();
        for standing in &self.peers {
            if let Standing::Ready(RoundTrips { peer, version, run, read, create, trade, batch }) = standing {
                let counts = [read, create, trade, batch, run].map(|count| count_of(*count));
                row(out, peer, counts.into_iter().chain([version.clone()]))?;
                peers.push(peer.as_str());
            }
        }
        list(
            out,
            self.peers.iter().filter_map(|standing| match standing {
                Standing::Missing { peer, reason } => Some(format!("{peer} could not take part: {reason}")),
                Standing::Ready(_) => None,
            }),
        )?;
        [Work::Run, Work::Read, Work::Create, Work::Trade, Work::Load]
            .into_iter()
            .try_for_each(|work| self.table(out, work, &peers))
    }
}

/// As Markdown.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.markdown(&mut text)?;
        f.write_str(&text)
    }
}

fn title(work: Work) -> &'static str {
    match work {
        Work::Run => "Reference run",
        Work::Read => "Point read",
        Work::Create => "Create",
        Work::Trade => "Trade",
        Work::Load => "Bulk load",
    }
}

fn row(out: &mut impl fmt::Write, head: &str, cells: impl Iterator<Item = String>) -> fmt::Result {
    write!(out, "| {head} |")?;
    for cell in cells {
        write!(out, " {cell} |")?;
    }
    writeln!(out)
}

fn list(out: &mut impl fmt::Write, items: impl Iterator<Item = String>) -> fmt::Result {
    for (nth, item) in items.enumerate() {
        let gap = if nth == 0 { "\n" } else { "" };
        writeln!(out, "{gap}- {item}")?;
    }
    Ok(())
}

/// A whole number, unless something came between.
fn count_of(count: f64) -> String {
    if (count - count.round()).abs() < 0.02 { format!("{count:.0}") } else { format!("{count:.2}") }
}

/// The median, the least and the most.
fn spread(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    let middle = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
    Some([middle, least, most])
}
