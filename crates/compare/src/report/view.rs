//! A run as the templates want it: what belongs together, together.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Report, bench::BenchView};
use crate::{Answers, Changes, Cost, Costs, Driver, Run, opinion, probes::source_of};

#[derive(Serialize)]
pub(super) struct View<'a> {
    pub(super) date: &'a str,
    pub(super) command: &'a str,
    pub(super) server: String,
    pub(super) drivers: Vec<DriverView<'a>>,
    pub(super) advice: &'static [opinion::Question],
    pub(super) surprises: Vec<Row<'a>>,
    pub(super) chapters: Vec<Chapter<'a>>,
    pub(super) declined: Vec<&'a Answers>,
    pub(super) bench: Option<BenchView<'a>>,
    pub(super) costs: Vec<CostView<'a>>,
    pub(super) changes: Option<&'a Changes>,
    pub(super) elsewhere: Vec<Elsewhere>,
    pub(super) differing: usize,
    pub(super) asked: usize,
}

#[derive(Serialize)]
pub(super) struct DriverView<'a> {
    pub(super) name: &'static str,
    pub(super) our_name: &'static str,
    pub(super) version: &'a str,
}

#[derive(Serialize)]
pub(super) struct Chapter<'a> {
    pub(super) title: &'a str,
    pub(super) rows: Vec<Row<'a>>,
}

/// The answers to one question.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    pub(super) id: &'a str,
    pub(super) question: &'a str,
    pub(super) meaning: &'a str,
    /// Whether the drivers answer differently.
    pub(super) differs: bool,
    pub(super) cells: Vec<Cell<'a>>,
    pub(super) source: Option<&'static str>,
}

/// The answers of one driver.
#[derive(Serialize)]
pub(super) struct Cell<'a> {
    pub(super) driver: &'static str,
    pub(super) as_it_comes: Said<'a>,
    pub(super) ours: Option<Said<'a>>,
    /// Whether it is not what most drivers say.
    pub(super) odd: bool,
}

#[derive(Serialize)]
pub(super) struct Said<'a> {
    pub(super) name: &'static str,
    /// None where there is no answer; the evidence then says why.
    pub(super) text: Option<&'a str>,
    pub(super) evidence: &'a [String],
}

/// What another server makes different.
#[derive(Serialize)]
pub(super) struct Elsewhere {
    server: String,
    date: String,
    changes: Changes,
}

#[derive(Serialize)]
pub(super) struct CostView<'a> {
    pub(super) name: &'a str,
    #[serde(flatten)]
    pub(super) cost: &'a Cost,
    pub(super) licences: String,
    /// In hundredths of the dearest.
    pub(super) share: Share,
}

#[derive(Serialize)]
pub(super) struct Share {
    crates: u64,
    compile_seconds: u64,
    binary_bytes: u64,
}

impl<'a> View<'a> {
    pub(super) fn new(report: &Report<'a>) -> Self {
        let run = report.run;
        let asked = || run.probes.iter().filter(|probe| !probe.is_declined());
        let mut chapters: Vec<Chapter<'_>> = Vec::new();
        for probe in asked() {
            match chapters.last_mut() {
                Some(chapter) if chapter.title == probe.chapter => chapter.rows.push(Row::new(probe)),
                _ => chapters.push(Chapter { title: &probe.chapter, rows: vec![Row::new(probe)] }),
            }
        }
        let surprises = opinion::SURPRISES.iter().filter_map(|id| asked().find(|probe| probe.id == *id)).map(Row::new);
        Self {
            date: &run.date,
            command: &run.command,
            server: run.server.to_string(),
            drivers: Driver::ALL
                .iter()
                .map(|driver| DriverView {
                    name: driver.name(),
                    our_name: driver.our_name(),
                    version: run.drivers.get(driver.name()).map_or("", String::as_str),
                })
                .collect(),
            advice: opinion::ADVICE,
            surprises: surprises.collect(),
            differing: chapters.iter().flat_map(|chapter| &chapter.rows).filter(|row| row.differs).count(),
            asked: asked().count(),
            chapters,
            declined: run.probes.iter().filter(|probe| probe.is_declined()).collect(),
            bench: report.bench.map(BenchView::new),
            costs: run.costs.as_ref().map_or_else(Vec::new, costs),
            changes: report.changes,
            elsewhere: report.others.iter().map(|other| elsewhere(run, other)).collect(),
        }
    }
}

fn elsewhere(run: &Run, other: &Run) -> Elsewhere {
    Elsewhere { server: other.server.to_string(), date: other.date.clone(), changes: Changes::between(run, other) }
}

impl<'a> Row<'a> {
    fn new(probe: &'a Answers) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for driver in Driver::ALL {
            if let Some(answer) = probe.answers.get(driver.name()) {
                *counts.entry(answer).or_default() += 1;
            }
        }
        let most = counts.values().copied().max().unwrap_or_default();
        let cells = Driver::ALL.into_iter().filter_map(|driver| {
            let as_it_comes = said(probe, driver.name())?;
            let odd = counts.len() > 1
                && as_it_comes.text.is_some_and(|text| counts.get(text).is_none_or(|&count| count < most || most == 1));
            Some(Cell { driver: driver.name(), as_it_comes, ours: said(probe, driver.our_name()), odd })
        });
        Self {
            id: &probe.id,
            question: &probe.question,
            meaning: &probe.meaning,
            differs: counts.len() > 1,
            cells: cells.collect(),
            source: source_of(&probe.id),
        }
    }
}

/// What is said of a crate; none if it was not looked at.
fn said<'a>(probe: &'a Answers, name: &'static str) -> Option<Said<'a>> {
    let why = || probe.not_observable.get(name).or_else(|| probe.failed.get(name));
    match (probe.answers.get(name), why()) {
        (Some(text), _) => {
            let evidence = probe.evidence.get(name).map_or(&[][..], Vec::as_slice);
            Some(Said { name, text: Some(text), evidence })
        }
        (None, Some(why)) => Some(Said { name, text: None, evidence: std::slice::from_ref(why) }),
        (None, None) => None,
    }
}

fn costs<'a>(costs: &'a Costs) -> Vec<CostView<'a>> {
    let share = |value: fn(&Cost) -> f64, cost| {
        let most = costs.values().map(value).fold(0.0, f64::max);
        if most > 0.0 { (100.0 * value(cost) / most).round() as u64 } else { 0 }
    };
    let names = [Driver::name, Driver::our_name].into_iter().flat_map(|name| Driver::ALL.map(name));
    let known = names.filter_map(|name| Some((name, costs.get(name)?)));
    let view = |(name, cost): (_, &'a Cost)| CostView {
        name,
        cost,
        licences: cost.licences.join(", "),
        share: Share {
            crates: share(|cost| cost.crates as f64, cost),
            compile_seconds: share(|cost| cost.compile_seconds, cost),
            binary_bytes: share(|cost| cost.binary_bytes as f64, cost),
        },
    };
    known.map(view).collect()
}
