//! A bench as the templates want it: tables, and charts whose places are computed.

use std::collections::BTreeSet;

use serde::Serialize;
use tidb_connect_bench::{Dimension, Measured, Measurement, Point, Ratio, Run, Seen, Sweep, Workload};

use crate::Server;

#[derive(Serialize)]
pub(super) struct BenchView<'a> {
    date: &'a str,
    command: &'a str,
    server: String,
    /// `linux x86_64, 2 cores`
    machine: String,
    optimized: bool,
    rounds: usize,
    round_seconds: f64,
    rate: Option<f64>,
    workloads: Vec<WorkloadView<'a>>,
}

#[derive(Serialize)]
struct WorkloadView<'a> {
    name: &'static str,
    operation: &'static str,
    ratios: Option<RatioChart>,
    growths: Vec<GrowthChart>,
    rows: Vec<BenchRow<'a>>,
}

/// What one subject did at one point.
#[derive(Serialize)]
struct BenchRow<'a> {
    at: String,
    subject: &'a str,
    ratio: Option<Numbers>,
    throughput: String,
    /// Of operations that are about more than one.
    rows_a_second: Option<String>,
    /// The most that it held of the heap, in MiB.
    heap: Option<String>,
    /// In milliseconds: the percentiles 50, 90, 99 and 99.9, and the longest.
    latency: [String; 5],
    errors: u64,
    first_error: Option<&'a str>,
}

/// A ratio as text.
#[derive(Serialize)]
struct Numbers {
    median: String,
    range: String,
}

/// Each subject's ratio to its bare driver, one below the other, on a logarithmic scale. Places are in the units of a drawing
/// that is `width` wide.
#[derive(Serialize)]
struct RatioChart {
    width: f64,
    height: f64,
    /// Where the lines of the scale end.
    bottom: f64,
    ticks: Vec<Tick>,
    marks: Vec<Mark>,
}

#[derive(Serialize)]
struct Tick {
    at: f64,
    label: String,
}

#[derive(Serialize)]
struct Mark {
    y: f64,
    label: String,
    median: f64,
    min: f64,
    max: f64,
}

/// What the subjects of each driver do with more and more of something; a panel a driver. Both scales are logarithmic, so that
/// what grows with its square is twice as steep as what grows with it.
#[derive(Serialize)]
struct GrowthChart {
    /// What grows: `tasks`.
    dimension: &'static str,
    /// What stays: `10 connections, 10000 rows`.
    fixed: String,
    /// What is seen: `operations a second`.
    seen: &'static str,
    /// `more is better`
    better: &'static str,
    /// Whether it was seen in each round.
    ranges: bool,
    height: f64,
    width: f64,
    ticks: Vec<Tick>,
    panels: Vec<Panel>,
}

#[derive(Serialize)]
struct Panel {
    driver: String,
    left: f64,
    right: f64,
    ticks: Vec<Tick>,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    /// `bare`, `ours`, `blocking`, `pool` or `data`.
    kind: &'static str,
    subject: String,
    /// As `points` of a polyline.
    points: String,
    whiskers: Vec<Whisker>,
}

#[derive(Serialize)]
struct Whisker {
    x: f64,
    y: f64,
    top: f64,
    bottom: f64,
}

/// The width of a chart of ratios, and where its scale begins and ends.
const WIDTH: f64 = 820.0;
const SCALE: (f64, f64) = (420.0, 800.0);
const LINE: f64 = 20.0;

/// A panel of a chart of growth: its width with what is left of it, and the height of its scale.
const PANEL: (f64, f64) = (380.0, 40.0);
const TOP: f64 = 30.0;
const BOTTOM: f64 = 190.0;

/// A scale is marked with these times a power of ten, and, about what is compared with, more closely.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
const ABOUT_ONE: [f64; 3] = [0.8, 1.25, 1.5];

impl<'a> BenchView<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        let of = |workload: Workload| run.measurements.iter().filter(move |of| of.point.workload == workload);
        let workloads = Workload::ALL.into_iter().filter(|&workload| of(workload).next().is_some());
        let cores = run.machine.cores.map_or_else(String::new, |cores| format!(", {cores} cores"));
        Self {
            date: &run.date,
            command: &run.command,
            server: Server::from_version(&run.server).to_string(),
            machine: format!("{} {}{cores}", run.machine.os, run.machine.architecture),
            optimized: run.machine.optimized,
            rounds: run.settings.rounds,
            round_seconds: run.settings.round_seconds,
            rate: run.settings.rate,
            workloads: workloads
                .map(|workload| WorkloadView {
                    name: workload.name(),
                    operation: workload.operation(),
                    ratios: ratios(&of(workload).collect::<Vec<_>>()),
                    growths: run
                        .sweeps(workload)
                        .iter()
                        .flat_map(|sweep| growths(sweep, run.settings.is_open()))
                        .collect(),
                    rows: of(workload).flat_map(rows).collect(),
                })
                .collect(),
        }
    }
}

fn rows(measurement: &Measurement) -> impl Iterator<Item = BenchRow<'_>> {
    let rows = measurement.point.rows_an_operation();
    measurement.subjects.iter().map(move |of| {
        let latency = of.latency_us;
        BenchRow {
            at: measurement.point.to_string(),
            subject: &of.subject,
            ratio: of.ratio.as_ref().map(numbers),
            throughput: format!("{:.0}", of.throughput()),
            rows_a_second: rows.map(|rows| format!("{:.0}", of.throughput() * rows as f64)),
            heap: Seen::Heap.of(&measurement.point, of).map(|(mebibytes, ..)| format!("{mebibytes:.2}")),
            latency: [latency.p50, latency.p90, latency.p99, latency.p999, latency.max]
                .map(|us| format!("{:.2}", us / 1000.0)),
            errors: of.errors(),
            first_error: of.first_error.as_deref(),
        }
    })
}

fn numbers(ratio: &Ratio) -> Numbers {
    Numbers { median: format!("{:.2}", ratio.median), range: format!("{:.2}–{:.2}", ratio.min, ratio.max) }
}

fn ratios(measurements: &[&Measurement]) -> Option<RatioChart> {
    // What is the same at all points is in the table.
    let varies = |dimension: &Dimension| {
        let values = measurements.iter().map(|measurement| dimension.value(&measurement.point));
        values.collect::<BTreeSet<_>>().len() > 1
    };
    let varying: Vec<_> = Dimension::ALL.into_iter().filter(varies).collect();
    let label = |point: &Point, of: &Measured| {
        let at = varying.iter().filter_map(|of| Some(format!(", {} {}", of.value(point)?, of.name())));
        [of.subject.clone()].into_iter().chain(at).collect::<String>()
    };
    let compared = measurements.iter().flat_map(|measurement| {
        measurement.subjects.iter().filter_map(move |of| Some((measurement.point, of, of.ratio.as_ref()?)))
    });
    let compared: Vec<_> = compared.collect();
    let scale = Scale::over(compared.iter().flat_map(|(.., ratio)| [ratio.min, ratio.max, 0.8, 1.25]), SCALE)?;
    let mark = |(number, (point, of, ratio)): (usize, &(Point, &Measured, &Ratio))| Mark {
        y: LINE * (number as f64 + 1.0),
        label: label(point, of),
        median: scale.place(ratio.median),
        min: scale.place(ratio.min),
        max: scale.place(ratio.max),
    };
    let bottom = LINE * (compared.len() as f64 + 0.5);
    let marks = compared.iter().enumerate().map(mark).collect();
    (!compared.is_empty()).then(|| RatioChart {
        width: WIDTH,
        height: bottom + LINE,
        bottom,
        ticks: scale.ticks(),
        marks,
    })
}

fn growths(sweep: &Sweep<'_>, open: bool) -> impl Iterator<Item = GrowthChart> {
    let seen = [Some(Seen::speed(sweep, open)), Seen::heap(sweep)];
    seen.into_iter().flatten().filter_map(|seen| growth(sweep, seen))
}

fn growth(sweep: &Sweep<'_>, seen: Seen) -> Option<GrowthChart> {
    let subjects = sweep.subjects();
    let all = subjects.iter().flatten().filter_map(|(_, point, of)| seen.of(point, of));
    let scale = Scale::over(all.flat_map(|(_, least, most)| [least, most]), (BOTTOM, TOP))?.between_marks();
    let mut drivers: Vec<&str> = subjects.iter().flatten().map(|(.., of)| of.driver.as_str()).collect();
    drivers.dedup();
    let panels = drivers.iter().enumerate().map(|(number, driver)| {
        let (left, right) = (PANEL.0 * number as f64 + PANEL.1, PANEL.0 * (number as f64 + 1.0) - 10.0);
        let along = Along::new(sweep.values(), (left + 10.0, right - 20.0));
        let lines = subjects.iter().filter_map(|subject| {
            let (.., first) = subject.first().filter(|(.., of)| of.driver == *driver)?;
            let places = subject.iter().filter_map(|(value, point, of)| {
                let (median, least, most) = seen.of(point, of)?;
                let [y, top, bottom] = [median, most, least].map(|value| scale.place(value));
                Some(Whisker { x: along.place(*value), y, top, bottom })
            });
            let whiskers: Vec<_> = places.collect();
            let points = whiskers.iter().map(|place| format!("{:.1},{:.1}", place.x, place.y)).collect::<Vec<_>>();
            Some(Line { kind: kind(first), subject: first.subject.clone(), points: points.join(" "), whiskers })
        });
        Panel { driver: (*driver).to_owned(), left, right, ticks: along.ticks(), lines: lines.collect() }
    });
    Some(GrowthChart {
        dimension: sweep.dimension.name(),
        fixed: sweep.fixed(),
        seen: seen.what(),
        better: match seen {
            Seen::Operations | Seen::Rows => "more is better",
            Seen::Latency | Seen::Heap => "less is better",
        },
        ranges: seen != Seen::Heap,
        height: BOTTOM + 2.0 * LINE,
        width: PANEL.0 * drivers.len() as f64,
        ticks: scale.ticks(),
        panels: panels.collect(),
    })
}

/// The places of a sweep's values: on a logarithmic scale, or, where they begin at 0, evenly spaced.
struct Along {
    values: Vec<u64>,
    places: (f64, f64),
}

impl Along {
    fn new(values: Vec<u64>, places: (f64, f64)) -> Self {
        Self { values, places }
    }

    fn place(&self, value: u64) -> f64 {
        let (least, most) = (self.values[0], self.values[self.values.len() - 1]);
        let share = match least {
            0 => self.values.iter().filter(|&&other| other < value).count() as f64 / (self.values.len() - 1) as f64,
            _ => (value as f64 / least as f64).ln() / (most as f64 / least as f64).ln(),
        };
        self.places.0 + share * (self.places.1 - self.places.0)
    }

    /// The last, and of the others as many as can be told from one another.
    fn ticks(&self) -> Vec<Tick> {
        const DIGIT: f64 = 7.0;

        let mut ticks: Vec<Tick> = Vec::new();
        for &value in self.values.iter().rev() {
            let (at, label) = (self.place(value), short(value as f64));
            let wide = |label: &str| DIGIT * (label.len() as f64 + 1.0);
            if ticks.last().is_none_or(|next| next.at - at >= (wide(&next.label) + wide(&label)) / 2.0) {
                ticks.push(Tick { at, label });
            }
        }
        ticks
    }
}

/// What a scale can be marked with, upwards.
fn steps() -> Vec<f64> {
    let decade = |power| STEPS.into_iter().filter_map(move |step| format!("{step}e{power}").parse().ok());
    (-4..=9).flat_map(decade).collect()
}

/// `0.05`, `500`, `20k`, `1M`.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        value => value.to_string(),
    }
}

fn kind(of: &Measured) -> &'static str {
    match of.subject.as_str() {
        bare if bare == of.driver => "bare",
        pool if pool.ends_with("-pool") => "pool",
        data if data.ends_with("-load-data") => "data",
        blocking if blocking.ends_with("-blocking") => "blocking",
        _ => "ours",
    }
}

/// A logarithmic scale between two places of a drawing.
struct Scale {
    values: (f64, f64),
    places: (f64, f64),
}

impl Scale {
    /// From the least to the most of `values`, each more than 0, and a little more; none of none.
    fn over(values: impl Iterator<Item = f64>, places: (f64, f64)) -> Option<Self> {
        let (least, most) = values
            .filter(|value| value.is_finite() && *value > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(least, most), value| (value.min(least), value.max(most)));
        (most > 0.0).then_some(Self { values: (least / 1.05, most * 1.05), places })
    }

    /// From a mark to a mark, so that it has two at the least.
    fn between_marks(self) -> Self {
        let ((least, most), steps) = (self.values, steps());
        let below = steps.iter().rev().find(|step| **step <= least).copied().unwrap_or(least);
        let above = steps.iter().find(|step| **step >= most).copied().unwrap_or(most);
        Self { values: (below, above), places: self.places }
    }

    fn place(&self, value: f64) -> f64 {
        let (least, most) = self.values;
        let share = ((value / least).ln() / (most / least).ln()).clamp(0.0, 1.0);
        // A tenth is finer than a screen.
        ((self.places.0 + share * (self.places.1 - self.places.0)) * 10.0).round() / 10.0
    }

    /// As many as can be told from one another.
    fn ticks(&self) -> Vec<Tick> {
        const APART: f64 = 24.0;

        let mut ticks: Vec<Tick> = Vec::new();
        // What is compared with stands there in any case.
        let inside = |step: &f64| (self.values.0..=self.values.1).contains(step);
        let one = inside(&1.0).then(|| self.place(1.0));
        let mut steps: Vec<f64> = steps().into_iter().chain(ABOUT_ONE).filter(inside).collect();
        steps.sort_by(f64::total_cmp);
        for step in steps {
            let at = self.place(step);
            let far = |other: f64| (at - other).abs() >= APART;
            if step == 1.0 || (one.is_none_or(far) && ticks.last().is_none_or(|last| far(last.at))) {
                ticks.push(Tick { at, label: short(step) });
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Report, *};

    const HOSTILE: &str = "a|b\n<script>alert(1)</script>";

    fn bench() -> Run {
        let round = |throughput: f64| serde_json::json!({ "operations": 9, "errors": 1, "throughput": throughput, "p50_us": 10.0, "p99_us": 20.0 });
        let latency = serde_json::json!({ "p50": 1.0, "p90": 2.0, "p99": 3.0, "p999": 4.0, "max": 5.0 });
        let measurement = |tasks: u64| {
            serde_json::json!({
                "workload": "point_read", "tasks": tasks, "connections": 10, "rows": 100, "round_trip_ms": 0,
                "subjects": [
                    { "subject": "sqlx", "driver": "sqlx", "rounds": [round(100.0), round(0.0)], "latency_us": latency, "heap_bytes": 524288 },
                    { "subject": HOSTILE, "driver": "sqlx", "rounds": [round(50.0), round(40.0)], "latency_us": latency,
                      "first_error": HOSTILE, "ratio": { "to": "sqlx", "median": 2.25, "min": 2.0, "max": 2.5 } },
                ],
            })
        };
        let run = serde_json::json!({
            "date": "2026-11-25T12:00:00Z", "command": "tidb-connect bench", "server": "8.0.11-TiDB-v8.5.3",
            "machine": { "os": "linux", "architecture": "x86_64", "cores": 2, "optimized": true },
            "drivers": { "sqlx": "0.8.6" },
            "settings": {
                "drivers": ["sqlx"], "workloads": ["point_read"], "tasks": [1, 8, 32], "connections": [10], "rows": [100],
                "batch": [500], "in_flight": [1], "round_trip_ms": [0], "rounds": 2, "round_seconds": 0.5, "warm_up_seconds": 0.1,
            },
            "measurements": [measurement(1), measurement(8), measurement(32)],
        });
        serde_json::from_value(run).expect("a run")
    }

    fn report<T>(of: impl FnOnce(&Report<'_>) -> T) -> T {
        let run = crate::Run {
            date: "2026-11-25T12:00:00Z".into(),
            command: "tidb-connect compare".into(),
            server: Server::from_version("8.0.11-TiDB-v8.5.3"),
            drivers: [].into(),
            probes: Vec::new(),
            costs: None,
        };
        of(&Report { run: &run, changes: None, others: &[], bench: Some(&bench()) })
    }

    #[test]
    fn a_page_has_each_chart_with_its_words_and_its_numbers() {
        let html = report(|report| report.html().expect("a page"));
        let (_, chapter) = html.split_once("id=\"bench\"").expect("a chapter");
        let charts: Vec<_> = chapter.split("role=\"img\"").skip(1).collect();
        assert_eq!(charts.len(), 3, "ratios, speed and heap with more tasks");
        for chart in charts {
            assert!(chart.contains("<title id=") && chart.contains("<desc id="), "{chart}");
        }
        assert!(chapter.contains(">2.25<") && chapter.contains(">2.00–2.50<"), "{chapter}");
        for broken in ["<script", "NaN", "inf"] {
            assert!(!chapter.contains(broken), "{broken}: {chapter}");
        }
    }

    #[test]
    fn markdown_has_a_row_a_subject_whatever_it_says() {
        let markdown = report(|report| report.markdown().expect("a page"));
        let (_, chapter) = markdown.split_once("## How fast").expect("a chapter");
        let rows: Vec<_> = chapter.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), 6, "{chapter}");
        assert!(!chapter.contains("<script") && rows[1].contains("| 2.25 | 2.00–2.50 |"), "{chapter}");
    }

    #[test]
    fn a_scale_has_its_ends_where_it_is_told_and_one_among_its_marks() {
        let scale = Scale::over([0.5, 8.0].into_iter(), (0.0, 100.0)).expect("a scale");
        assert!(scale.place(0.5) < 5.0 && scale.place(8.0) > 95.0 && scale.place(f64::MAX) == 100.0);
        let ticks = scale.ticks();
        assert!(ticks.iter().any(|tick| tick.label == "1"));
        assert!(ticks.windows(2).all(|pair| pair[1].at - pair[0].at >= 24.0));
        let narrow = Scale::over([0.3, 0.4].into_iter(), (BOTTOM, TOP)).expect("a scale").between_marks().ticks();
        assert_eq!(narrow.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>(), ["0.2", "0.5"]);
        let wide = Scale::over([0.02, 90_000.0].into_iter(), (BOTTOM, TOP)).expect("a scale").ticks();
        assert!(wide.iter().any(|tick| tick.label == "10k") && wide.len() > 4);
        assert!(Scale::over([0.0, f64::NAN].into_iter(), (0.0, 1.0)).is_none());
    }

    #[test]
    fn values_stand_by_their_logarithm_and_only_as_many_are_named_as_there_is_room_for() {
        let along = Along::new(vec![1, 10, 90, 100], (0.0, 200.0));
        assert_eq!([1, 10, 100].map(|value| along.place(value)), [0.0, 100.0, 200.0]);
        assert_eq!(along.ticks().iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>(), ["100", "10", "1"]);
        let from_nothing = Along::new(vec![0, 1, 5], (0.0, 200.0));
        assert_eq!([0, 1, 5].map(|value| from_nothing.place(value)), [0.0, 100.0, 200.0]);
    }
}
