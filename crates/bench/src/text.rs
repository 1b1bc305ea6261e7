//! A run in a terminal.

use comfy_table::{CellAlignment, Table, TableComponent, presets};

use crate::{Measured, Point, Run, Seen, Sweep, Workload};

impl Run {
    /// As tables that fit into 80 columns.
    #[must_use]
    pub fn text(&self) -> String {
        let machine = &self.machine;
        let cores = machine.cores.map_or_else(String::new, |cores| format!(", {cores} cores"));
        let mut text = format!("{}, {}\n{} {}{cores}\n", self.server, self.date, machine.os, machine.architecture);
        if !machine.optimized {
            text += "compiled without optimisations, so that ratios are not those of a program in use\n";
        }
        for measurement in &self.measurements {
            let header = ["", "× bare", "(range)", "a second", "p50 ms", "p99 ms", "p99.9 ms"].map(str::to_owned);
            let table = table(header.into(), measurement.subjects.iter().map(|of| row(of).into()));
            text += &format!("\n{}\n{table}\n", self.heading(&measurement.point));
            for subject in measurement.subjects.iter().filter(|subject| subject.errors() > 0) {
                let first = subject.first_error.as_deref().unwrap_or_default();
                text +=
                    &format!("{}: {} operations failed, the first with: {first}\n", subject.subject, subject.errors());
            }
            let late: u64 = measurement.subjects.iter().flat_map(|of| &of.rounds).map(|round| round.not_started).sum();
            if late > 0 {
                text +=
                    &format!("{late} operations were due and never began: this rate is more than some can keep up\n");
            }
        }
        for sweep in Workload::ALL.into_iter().flat_map(|workload| self.sweeps(workload)) {
            text += &self.growth(&sweep);
        }
        let what = match self.settings.rate {
            None => "throughput",
            Some(_) => "median latency, counted from when an operation was due",
        };
        text + &format!(
            "\n× bare: the time of an operation as a multiple of the bare driver's in the same\n\
             round, by {what};\n\
             the median of {} rounds and their range. The other numbers are those of this\n\
             machine at this moment.\n",
            self.settings.rounds
        )
    }

    /// What each subject did, and held, with more and more of something.
    fn growth(&self, sweep: &Sweep<'_>) -> String {
        let seen = Seen::speed(sweep, self.settings.is_open());
        let mut text = String::new();
        for seen in [Some(seen), Seen::heap(sweep)].into_iter().flatten() {
            let (workload, dimension) = (sweep.workload(), sweep.dimension.name());
            text += &format!("\n{workload}, {}, against {dimension}; {}\n", seen.what(), sweep.fixed());
            let header = [String::new()].into_iter().chain(sweep.values().iter().map(ToString::to_string)).collect();
            let rows = sweep.subjects().into_iter().map(|subject| {
                let name = subject.first().map_or_else(String::new, |(.., of)| of.subject.clone());
                let cells = subject.into_iter().map(|(_, point, of)| {
                    let seen = seen.of(point, of);
                    seen.map_or_else(String::new, |(median, ..)| short(median))
                });
                [name].into_iter().chain(cells).collect()
            });
            text += &format!("{}\n", table(header, rows));
        }
        text
    }

    /// What a table is about: `point_read: read a player by its id; 32 tasks, …`.
    fn heading(&self, point: &Point) -> String {
        let rate = self.settings.rate.map_or_else(String::new, |rate| format!(", {rate} a second"));
        format!("{}: {}; {point}{rate}", point.workload, point.workload.operation())
    }
}

fn table(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(header)
        .add_rows(rows)
        .remove_style(TableComponent::HorizontalLines)
        .remove_style(TableComponent::MiddleIntersections);
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 0));
        column.set_cell_alignment(if number == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
    table
}

/// Three digits: `0.12`, `12.3`, `123k`.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        value if value >= 999_500.0 => (value / 1e6, "M"),
        value if value >= 9_995.0 => (value / 1e3, "k"),
        value => (value, ""),
    };
    let places = [(9.995, 2), (99.95, 1)].into_iter().find(|(less, _)| value < *less).map_or(0, |(_, places)| places);
    format!("{value:.places$}{unit}")
}

fn row(of: &Measured) -> [String; 7] {
    let (ratio, range) = of.ratio.as_ref().map_or_else(Default::default, |ratio| {
        (format!("{:.2}", ratio.median), format!("{:.2}–{:.2}", ratio.min, ratio.max))
    });
    let milliseconds = |us: f64| format!("{:.2}", us / 1000.0);
    let [p50, p99, p999] = [of.latency_us.p50, of.latency_us.p99, of.latency_us.p999].map(milliseconds);
    [of.subject.clone(), ratio, range, format!("{:.0}", of.throughput()), p50, p99, p999]
}
