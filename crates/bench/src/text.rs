//! A run in a terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::{Measured, Point, Run};

impl Run {
    /// As tables that are `width` columns wide.
    #[must_use]
    pub fn text(&self, width: u16) -> String {
        let machine = &self.machine;
        let cores = machine.cores.map_or_else(String::new, |cores| format!(", {cores} cores"));
        let mut text = format!("{}, {}\n{} {}{cores}\n", self.server, self.date, machine.os, machine.architecture);
        if !machine.optimized {
            text += "compiled without optimisations, so that the ratios are not those of a program in use\n";
        }
        for measurement in &self.measurements {
            let mut table = Table::new();
            table
                .load_preset(presets::UTF8_HORIZONTAL_ONLY)
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width)
                .set_header(["", "× bare", "(range)", "a second", "p50 ms", "p99 ms", "p99.9 ms"]);
            for subject in &measurement.subjects {
                table.add_row(row(subject));
            }
            for (number, column) in table.column_iter_mut().enumerate() {
                column.set_padding((0, 1));
                column.set_cell_alignment(if number == 0 { CellAlignment::Left } else { CellAlignment::Right });
            }
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
        let what = match self.settings.rate {
            None => "throughput",
            Some(_) => "median latency, counted from when an operation was due",
        };
        text + &format!(
            "\n× bare: the time of an operation as a multiple of the bare driver's in the same round, by {what};\n\
             the median of {} rounds and their range. The other numbers are those of this machine at this moment.\n",
            self.settings.rounds
        )
    }

    /// What a table is about: `point_read: read a player by its id; 32 tasks, …`.
    fn heading(&self, point: &Point) -> String {
        let rate = self.settings.rate.map_or_else(String::new, |rate| format!(", {rate} a second"));
        format!("{}: {}; {point}{rate}", point.workload, point.workload.operation())
    }
}

fn row(of: &Measured) -> [String; 7] {
    let (ratio, range) = of.ratio.as_ref().map_or_else(Default::default, |ratio| {
        (format!("{:.2}", ratio.median), format!("{:.2}–{:.2}", ratio.min, ratio.max))
    });
    let milliseconds = |us: f64| format!("{:.2}", us / 1000.0);
    let [p50, p99, p999] = [of.latency_us.p50, of.latency_us.p99, of.latency_us.p999].map(milliseconds);
    [of.subject.clone(), ratio, range, format!("{:.0}", of.throughput()), p50, p99, p999]
}
