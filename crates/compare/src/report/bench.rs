//! A bench as the templates want it: tables, and charts whose places are computed.

use std::collections::BTreeSet;

use serde::Serialize;
use tidb_connect_bench::{Measured, Measurement, Point, Ratio, Run, Workload};

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

/// How the subjects of each driver do with more and more of something; a panel a driver.
#[derive(Serialize)]
struct GrowthChart {
    /// What grows: `tasks`.
    what: &'static str,
    /// What stays: `10 connections, 10000 rows`.
    fixed: String,
    height: f64,
    width: f64,
    /// What is 1: `sqlx at 1`.
    unit: String,
    /// What is seen of it: `operations a second`.
    seen: &'static str,
    /// Whether more is better.
    throughput: bool,
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
    /// `bare`, `ours`, `blocking` or `pool`.
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
const PANEL: (f64, f64) = (250.0, 40.0);
const TOP: f64 = 30.0;
const BOTTOM: f64 = 190.0;

/// What a scale can be marked with.
const STEPS: [f64; 19] =
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 1.0, 1.25, 1.5, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// A dimension of the settings: its name, its value, and a point with the others only.
type Dimension = (&'static str, fn(&Point) -> u64, fn(Point) -> Point);

const DIMENSIONS: [Dimension; 5] = [
    ("tasks", |point| point.tasks as u64, |point| Point { tasks: 0, ..point }),
    ("connections", |point| point.connections as u64, |point| Point { connections: 0, ..point }),
    ("rows", |point| point.rows, |point| Point { rows: 0, ..point }),
    ("rows a batch", |point| point.batch.unwrap_or_default() as u64, |point| Point { batch: None, ..point }),
    ("ms a round trip", |point| point.round_trip_ms, |point| Point { round_trip_ms: 0, ..point }),
];

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
                    growths: growths(&of(workload).collect::<Vec<_>>(), run.settings.is_open()),
                    rows: of(workload).flat_map(rows).collect(),
                })
                .collect(),
        }
    }
}

fn rows(measurement: &Measurement) -> impl Iterator<Item = BenchRow<'_>> {
    measurement.subjects.iter().map(|of| {
        let latency = of.latency_us;
        BenchRow {
            at: measurement.point.to_string(),
            subject: &of.subject,
            ratio: of.ratio.as_ref().map(numbers),
            throughput: format!("{:.0}", of.throughput()),
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
    let varies = |value: fn(&Point) -> u64| {
        measurements.iter().map(|measurement| value(&measurement.point)).collect::<BTreeSet<_>>().len() > 1
    };
    let varying: Vec<_> = DIMENSIONS.iter().filter(|(_, value, _)| varies(*value)).collect();
    let label = |point: &Point, of: &Measured| {
        let at = varying.iter().map(|(name, value, _)| format!(", {} {name}", value(point)));
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

fn growths(measurements: &[&Measurement], open: bool) -> Vec<GrowthChart> {
    let mut charts = Vec::new();
    for (what, value, without) in DIMENSIONS {
        let mut seen: Vec<Point> = Vec::new();
        for measurement in measurements {
            let fixed = without(measurement.point);
            if seen.contains(&fixed) {
                continue;
            }
            seen.push(fixed);
            let same: Vec<_> = measurements.iter().copied().filter(|other| without(other.point) == fixed).collect();
            if same.len() > 1 {
                charts.extend(growth(what, value, &same, open));
            }
        }
    }
    charts
}

fn growth(what: &'static str, value: fn(&Point) -> u64, same: &[&Measurement], open: bool) -> Option<GrowthChart> {
    let unit_of = same.first()?.subjects.first()?;
    let (unit, ..) = seen(same[0].point, unit_of, open)?;
    let drivers: Vec<&str> = same[0].subjects.iter().fold(Vec::new(), |mut drivers, of| {
        if !drivers.contains(&of.driver.as_str()) {
            drivers.push(&of.driver);
        }
        drivers
    });
    let all = same
        .iter()
        .flat_map(|measurement| measurement.subjects.iter().filter_map(|of| seen(measurement.point, of, open)));
    let scale = Scale::over(all.flat_map(|(_, min, max)| [min / unit, max / unit]), (BOTTOM, TOP))?;
    let values: BTreeSet<u64> = same.iter().map(|measurement| value(&measurement.point)).collect();
    let fixed = DIMENSIONS.iter().filter(|(name, ..)| *name != what);
    let fixed = fixed.map(|(name, value, _)| (name, value(&same[0].point))).filter(|(_, value)| *value > 0);
    let panels = drivers.iter().enumerate().map(|(number, driver)| {
        let (left, right) = (PANEL.0 * number as f64 + PANEL.1, PANEL.0 * (number as f64 + 1.0) - 10.0);
        // Evenly spaced: what is measured grows by factors, and may begin at 0.
        let step = (right - left - 20.0) / (values.len().saturating_sub(1).max(1)) as f64;
        let x = |of: u64| left + 10.0 + step * values.iter().take_while(|&&value| value < of).count() as f64;
        let of_driver = same[0].subjects.iter().filter(|of| of.driver == *driver);
        let lines = of_driver.map(|subject| {
            let places = same.iter().filter_map(|measurement| {
                let of = measurement.subjects.iter().find(|of| of.subject == subject.subject)?;
                let (median, min, max) = seen(measurement.point, of, open)?;
                let [y, top, bottom] = [median, max, min].map(|value| scale.place(value / unit));
                Some(Whisker { x: x(value(&measurement.point)), y, top, bottom })
            });
            let whiskers: Vec<_> = places.collect();
            let points = whiskers.iter().map(|place| format!("{:.1},{:.1}", place.x, place.y)).collect::<Vec<_>>();
            Line { kind: kind(subject), subject: subject.subject.clone(), points: points.join(" "), whiskers }
        });
        let ticks = values.iter().map(|&value| Tick { at: x(value), label: value.to_string() }).collect();
        Panel { driver: (*driver).to_owned(), left, right, ticks, lines: lines.collect() }
    });
    Some(GrowthChart {
        what,
        fixed: fixed.map(|(name, value)| format!("{value} {name}")).collect::<Vec<_>>().join(", "),
        height: BOTTOM + 2.0 * LINE,
        width: PANEL.0 * drivers.len() as f64,
        unit: format!("{} at {}", unit_of.subject, value(&same[0].point)),
        seen: match same[0].point.batch {
            _ if open => "median latency",
            Some(_) => "rows a second",
            None => "operations a second",
        },
        throughput: !open,
        ticks: scale.ticks(),
        panels: panels.collect(),
    })
}

/// The rounds' median, least and most: of the throughput, of a batch in rows; or at a rate of the median latency. None of no
/// operations.
fn seen(point: Point, of: &Measured, open: bool) -> Option<(f64, f64, f64)> {
    let rows = point.batch.unwrap_or(1) as f64;
    let rounds = of.rounds.iter().map(|round| if open { round.p50_us } else { round.throughput * rows });
    let mut rounds: Vec<f64> = rounds.filter(|&of| of > 0.0).collect();
    rounds.sort_by(f64::total_cmp);
    Some((*rounds.get(rounds.len() / 2)?, *rounds.first()?, *rounds.last()?))
}

fn kind(of: &Measured) -> &'static str {
    match of.subject.as_str() {
        bare if bare == of.driver => "bare",
        pool if pool.ends_with("-pool") => "pool",
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
        for step in STEPS.into_iter().filter(inside) {
            let at = self.place(step);
            let far = |other: f64| (at - other).abs() >= APART;
            if step == 1.0 || (one.is_none_or(far) && ticks.last().is_none_or(|last| far(last.at))) {
                ticks.push(Tick { at, label: step.to_string() });
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
                    { "subject": "sqlx", "driver": "sqlx", "rounds": [round(100.0), round(0.0)], "latency_us": latency },
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
                "drivers": ["sqlx"], "workloads": ["point_read"], "tasks": [1, 32], "connections": [10], "rows": [100],
                "batch": [500], "round_trip_ms": [0], "rounds": 2, "round_seconds": 0.5, "warm_up_seconds": 0.1,
            },
            "measurements": [measurement(1), measurement(32)],
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
        assert_eq!(charts.len(), 2, "ratios, and growth with more tasks");
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
        assert_eq!(rows.len(), 4, "{chapter}");
        assert!(!chapter.contains("<script") && rows[1].contains("| 2.25 | 2.00–2.50 |"), "{chapter}");
    }

    #[test]
    fn a_scale_has_its_ends_where_it_is_told_and_one_among_its_marks() {
        let scale = Scale::over([0.5, 8.0].into_iter(), (0.0, 100.0)).expect("a scale");
        assert!(scale.place(0.5) < 5.0 && scale.place(8.0) > 95.0 && scale.place(f64::MAX) == 100.0);
        let ticks = scale.ticks();
        assert!(ticks.iter().any(|tick| tick.label == "1"));
        assert!(ticks.windows(2).all(|pair| pair[1].at - pair[0].at >= 24.0));
        assert!(Scale::over([0.0, f64::NAN].into_iter(), (0.0, 1.0)).is_none());
    }
}
