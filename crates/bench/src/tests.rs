//! What is counted, from when, and in which order.

use std::{
    collections::BTreeMap,
    sync::{Arc, Barrier, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tidb_connect_core::{
    BoxError, ErrorKind,
    players::{MemoryStore, PlayerId, PlayerStore as _},
};
use tokio::time::sleep;

use crate::{
    Dimension, Latency, Machine, Measured, Measurement, Operation, Point, Ratio, Round, Run, Seen, Settings, Store,
    Subject, Workload,
    bench::in_turns,
    data::{Data, Operations},
    load::{Pace, Tally, drive},
    subject::Connecting,
};

fn settings() -> Settings {
    Settings {
        drivers: vec!["sqlx".into()],
        workloads: vec![Workload::PointRead],
        tasks: vec![1],
        connections: vec![1],
        rows: vec![100],
        batch: vec![10],
        in_flight: vec![1],
        round_trip_ms: vec![0],
        rate: None,
        rounds: 2,
        round_seconds: 0.01,
        warm_up_seconds: 0.0,
    }
}

fn point(workload: Workload, tasks: usize) -> Point {
    Point { workload, tasks, ..settings().points()[0] }
}

fn connected(subject: Arc<dyn Subject>) -> Connecting<'static> {
    Box::pin(async { Ok(subject) })
}

fn data() -> Arc<Data> {
    Arc::new(Data::new((1..=100).map(PlayerId).collect()))
}

/// Does every operation in a millisecond, but for the first.
#[derive(Debug)]
struct Stalls(Mutex<Option<Duration>>);

#[async_trait]
impl Subject for Stalls {
    fn name(&self) -> &str {
        "stalls"
    }

    async fn operate(&self, _: &Operation) -> Result<(), BoxError> {
        let stall = self.0.lock().expect("no panic").take();
        sleep(stall.unwrap_or(Duration::from_millis(1))).await;
        Ok(())
    }
}

/// One task for a second, of which the server does nothing for half.
async fn stalled(rate: Option<f64>) -> Tally {
    let stalls: Arc<dyn Subject> = Arc::new(Stalls(Mutex::new(Some(Duration::from_millis(500)))));
    let operations = vec![Operations::new(&data(), &point(Workload::PointRead, 1), 0, 0)];
    let pace = Pace { warm_up: Duration::ZERO, counted: Duration::from_secs(1), rate };
    drive(&stalls, operations, pace).await.expect("a round")
}

#[tokio::test]
async fn at_a_rate_a_stall_is_counted_for_all_who_waited() {
    let tally = stalled(Some(100.0)).await;
    assert_eq!((tally.operations, tally.errors, tally.not_started), (100, 0, 0));
    // Of 100 that were due, 40 were due more than 0.1 s before the end of the stall.
    assert!(tally.latencies.value_at_quantile(0.6) >= 100_000_000, "{:?}", tally.latencies.value_at_quantile(0.6));
    assert!(tally.latencies.max() >= 490_000_000, "{}", tally.latencies.max());
}

#[tokio::test]
async fn in_a_closed_loop_a_stall_is_one_slow_operation() {
    let tally = stalled(None).await;
    assert!(tally.latencies.value_at_quantile(0.9) < 100_000_000, "{:?}", tally.latencies.value_at_quantile(0.9));
    assert!(tally.latencies.max() >= 490_000_000, "{}", tally.latencies.max());
    assert_eq!(tally.latencies.len(), tally.operations);
}

#[tokio::test]
async fn what_was_due_and_never_began_counts_with_its_wait() {
    #[derive(Debug)]
    struct Slow;

    #[async_trait]
    impl Subject for Slow {
        fn name(&self) -> &str {
            "slow"
        }

        async fn operate(&self, _: &Operation) -> Result<(), BoxError> {
            sleep(Duration::from_millis(50)).await;
            Ok(())
        }
    }

    let slow: Arc<dyn Subject> = Arc::new(Slow);
    let operations = vec![Operations::new(&data(), &point(Workload::PointRead, 1), 0, 0)];
    let pace = Pace { warm_up: Duration::ZERO, counted: Duration::from_millis(100), rate: Some(1000.0) };
    let tally = drive(&slow, operations, pace).await.expect("a round");
    // It is given 0.2 s, in which there is time for 4 of 100.
    assert!(tally.operations <= 5 && tally.operations + tally.not_started == 100, "{tally:?}");
    // The last of them was due after 0.1 s, and has waited for as long.
    assert!(tally.latencies.value_at_quantile(0.1) >= 99_000_000, "{:?}", tally.latencies.value_at_quantile(0.1));
}

#[tokio::test]
async fn what_was_due_in_the_warm_up_is_not_counted() {
    let stalls: Arc<dyn Subject> = Arc::new(Stalls(Mutex::new(None)));
    let operations = (0..2).map(|task| Operations::new(&data(), &point(Workload::PointRead, 2), 0, task)).collect();
    let pace = Pace { warm_up: Duration::from_millis(200), counted: Duration::from_millis(300), rate: Some(100.0) };
    assert_eq!(drive(&stalls, operations, pace).await.expect("a round").operations, 30);
}

/// Notes whose turn it is.
#[derive(Debug)]
struct Turns {
    name: &'static str,
    turns: Arc<Mutex<Vec<&'static str>>>,
}

impl Turns {
    fn note(&self) {
        let mut turns = self.turns.lock().expect("no panic");
        if turns.last() != Some(&self.name) {
            turns.push(self.name);
        }
    }
}

#[async_trait]
impl Subject for Turns {
    fn name(&self) -> &str {
        self.name
    }

    fn baseline(&self) -> Option<&str> {
        (self.name != "a").then_some("a")
    }

    async fn operate(&self, _: &Operation) -> Result<(), BoxError> {
        self.note();
        sleep(Duration::from_millis(1)).await;
        Ok(())
    }
}

#[tokio::test]
async fn subjects_take_turns_and_are_compared_round_by_round() {
    let turns = Arc::new(Mutex::new(Vec::new()));
    let subject = |name| -> Arc<dyn Subject> { Arc::new(Turns { name, turns: Arc::clone(&turns) }) };
    let subjects = ["a", "b", "c"].map(|name| ("x", connected(subject(name)))).into();
    let point = point(Workload::PointRead, 2);
    let mut said = Vec::new();
    let (settings, data) = (settings(), data());
    let measured = in_turns(&settings, &point, &data, subjects, |name, share| said.push((name.to_owned(), share)));
    let measured = measured.await.expect("rounds");
    // The first of three is not counted.
    assert_eq!(*turns.lock().expect("no panic"), ["a", "b", "c", "a", "b", "c", "a", "b", "c"]);
    assert_eq!(said.len(), 9);
    assert!(said.windows(2).all(|pair| pair[0].1 < pair[1].1), "{said:?}");
    for of in &measured {
        assert_eq!((of.rounds.len(), of.ratio.is_none()), (2, of.subject == "a"), "{of:?}");
        assert!(of.rounds.iter().all(|round| round.operations > 0 && round.throughput > 0.0), "{of:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_tasks_of_a_subject_that_blocks_do_not_wait_for_one_another() {
    #[derive(Debug)]
    struct Blocks(Barrier);

    #[async_trait]
    impl Subject for Blocks {
        fn name(&self) -> &str {
            "blocks"
        }

        fn blocks(&self) -> bool {
            true
        }

        async fn operate(&self, _: &Operation) -> Result<(), BoxError> {
            self.0.wait();
            Err("refused".into())
        }
    }

    let blocks: Arc<dyn Subject> = Arc::new(Blocks(Barrier::new(4)));
    let operations = (0..4).map(|task| Operations::new(&data(), &point(Workload::PointRead, 4), 0, task)).collect();
    // A round of no length: each task makes its one operation.
    let pace = Pace { warm_up: Duration::ZERO, counted: Duration::ZERO, rate: None };
    let tally = drive(&blocks, operations, pace).await.expect("a round");
    assert_eq!((tally.operations, tally.errors, tally.first_error.as_deref()), (0, 4, Some("refused")));
    assert!(tally.throughput == 0.0 && tally.latencies.is_empty(), "{tally:?}");
}

#[tokio::test]
async fn every_workload_is_possible() {
    let settings = Settings { workloads: Workload::ALL.to_vec(), ..settings() };
    let points = settings.points();
    assert_eq!(points.iter().map(|point| point.workload).collect::<Vec<_>>(), Workload::ALL);
    for point in &points {
        let store = Arc::new(MemoryStore::new());
        store.create_table().await.expect("a table");
        store.create_many(&Data::initial(100).collect::<Vec<_>>()).await.expect("players");
        let ids = store.list(None, 100).await.expect("players").iter().map(|player| player.id).collect();
        let data = Arc::new(Data::new(ids));
        let subjects = vec![("memory", connected(Arc::new(Store::new("memory", None, store))))];
        let measured = in_turns(&settings, point, &data, subjects, |_, _| {}).await.expect("rounds");
        assert_eq!(measured[0].first_error, None, "{point:?}");
        assert!(measured[0].rounds.iter().all(|round| round.operations > 0), "{measured:?}");
    }
}

#[test]
fn every_subject_gets_the_same_operations_and_no_name_twice() {
    let (data, mixed) = (data(), point(Workload::Mixed, 1));
    let take = |round, task| {
        let mut operations = Operations::new(&data, &mixed, round, task);
        (0..200).map(|_| operations.next()).collect::<Vec<_>>()
    };
    let (one, other) = (take(1, 0), take(1, 0));
    let mut names = BTreeMap::new();
    for pair in one.iter().zip(&other) {
        match pair {
            (Operation::Create(one), Operation::Create(other)) => {
                *names.entry(one.name.clone()).or_insert(0) += 1;
                *names.entry(other.name.clone()).or_insert(0) += 1;
            }
            (one, other) => assert_eq!(one, other),
        }
    }
    assert!(!names.is_empty() && names.values().all(|&count| count == 1), "{names:?}");
    assert_ne!(take(1, 0), take(1, 1));
    assert_ne!(take(1, 0), take(2, 0));
}

#[test]
fn hot_trades_are_between_the_same_few_and_never_with_oneself() {
    let mut operations = Operations::new(&data(), &point(Workload::TradeHot, 1), 0, 0);
    for _ in 0..1000 {
        let Operation::Trade(trade) = operations.next() else { panic!("no trade") };
        assert_ne!(trade.buyer, trade.seller);
        assert!([trade.buyer, trade.seller].iter().all(|player| player.0 <= Workload::HOT as i64), "{trade:?}");
    }
}

#[test]
fn each_value_is_measured_with_each_other() {
    let several = Settings {
        workloads: vec![Workload::BulkLoad, Workload::PointRead, Workload::Load],
        tasks: vec![1, 32],
        connections: vec![10, 100],
        rows: vec![100, 1000],
        batch: vec![10, 20, 30],
        in_flight: vec![1, 4],
        ..settings()
    };
    let points = several.points();
    let of = |workload| points.iter().filter(|point| point.workload == workload).count();
    // A read has no batch, and what is one statement has one in flight.
    assert_eq!((of(Workload::PointRead), of(Workload::BulkLoad), of(Workload::Load)), (8, 24, 48));
    assert_eq!((points[0].workload, points[0].batch), (Workload::PointRead, None));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for wrong in [
        Settings { rounds: 0, ..settings() },
        Settings { tasks: vec![1, 0], ..settings() },
        Settings { connections: vec![], ..settings() },
        Settings { rows: vec![7], ..settings() },
        Settings { batch: vec![21_846], ..settings() },
        Settings { in_flight: vec![0], ..settings() },
        Settings { round_seconds: 0.0, ..settings() },
        Settings { round_seconds: f64::NAN, ..settings() },
        Settings { warm_up_seconds: -1.0, ..settings() },
        Settings { rate: Some(0.0), ..settings() },
        Settings { rate: Some(f64::INFINITY), ..settings() },
    ] {
        assert_eq!(wrong.validate().expect_err("wrong").kind(), ErrorKind::Config, "{wrong:?}");
    }
    settings().validate().expect("right");
}

fn measured(subject: &str, rounds: &[(f64, f64)]) -> Measured {
    let round = |&(throughput, p50_us)| Round {
        operations: 10,
        errors: 0,
        not_started: 0,
        throughput,
        p50_us,
        p99_us: 2.0 * p50_us,
    };
    Measured {
        subject: subject.into(),
        driver: "sqlx".into(),
        rounds: rounds.iter().map(round).collect(),
        latency_us: Latency { p50: 1.0, p90: 2.0, p99: 3.0, p999: 4.0, max: 5.0 },
        heap_bytes: None,
        first_error: None,
        ratio: None,
    }
}

#[test]
fn a_ratio_is_of_rounds_that_were_neighbours() {
    let bare = measured("sqlx", &[(100.0, 10.0), (200.0, 5.0), (0.0, 0.0), (400.0, 8.0)]);
    let mut ours = measured("tidb-connect-sqlx", &[(80.0, 11.0), (200.0, 6.0), (90.0, 1.0), (200.0, 16.0)]);
    let ratio = |median, min, max| Some(Ratio { to: "sqlx".into(), median, min, max });
    ours.compare(&bare, false);
    assert_eq!(ours.ratio, ratio(1.25, 1.0, 2.0));
    ours.compare(&bare, true);
    assert_eq!(ours.ratio, ratio(1.2, 1.1, 2.0));
    ours.compare(&measured("sqlx", &[]), true);
    assert_eq!(ours.ratio, None);
}

/// Of `point_read` with 1, 4 and 16 tasks, with and without added time.
fn growth() -> Run {
    let of = |tasks: usize, round_trip_ms| Measurement {
        point: Point { round_trip_ms, ..point(Workload::PointRead, tasks) },
        subjects: vec![Measured { heap_bytes: Some(3 << 20), ..measured("sqlx", &[(1000.0 * tasks as f64, 10.0)]) }],
    };
    Run { measurements: [0, 5].iter().flat_map(|&ms| [16, 1, 4].map(|tasks| of(tasks, ms))).collect(), ..run() }
}

#[test]
fn growth_is_what_is_the_same_but_for_one_setting_with_three_values() {
    let run = growth();
    let sweeps = run.sweeps(Workload::PointRead);
    let seen: Vec<_> = sweeps.iter().map(|sweep| (sweep.dimension, sweep.values(), sweep.fixed())).collect();
    let (values, fixed) = (vec![1, 4, 16], "1 connections, 100 rows");
    let with = |added: &str| (Dimension::Tasks, values.clone(), format!("{fixed}{added}"));
    assert_eq!(seen, [with(""), with(", 5 ms added to a round trip")]);
    assert!(run.sweeps(Workload::Scan).is_empty());

    let text = run.text();
    let (_, table) = text.split_once("point_read, operations a second, against tasks; 1 connections").expect("speed");
    let row = table.lines().find(|line| line.starts_with("sqlx")).expect("a row");
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["sqlx", "1000", "4000", "16.0k"]);
    assert!(text.contains("point_read, MiB of heap at most, against tasks") && text.contains(" 3.00 3.00"), "{text}");
}

#[test]
fn what_is_seen_of_an_operation_about_many_rows_is_rows() {
    let of = Measured { rounds: measured("sqlx", &[(2.0, 1500.0)]).rounds, ..measured("sqlx", &[]) };
    let load = Point { rows: 100, batch: Some(10), in_flight: Some(2), ..point(Workload::Load, 1) };
    let speed = |point: Point| Seen::Rows.of(&point, &of).map(|(median, ..)| median);
    assert_eq!(speed(load), Some(200.0));
    assert_eq!(speed(Point { workload: Workload::BulkLoad, ..load }), Some(20.0));
    assert_eq!(speed(Point { workload: Workload::Create, batch: None, ..load }), Some(2.0));
    assert_eq!(Seen::Latency.of(&load, &of), Some((1.5, 1.5, 1.5)));
    assert_eq!(Seen::Heap.of(&load, &of), None);
}

#[test]
fn a_load_is_all_of_its_players_a_batch_at_a_time() {
    let point = Point { batch: Some(30), in_flight: Some(4), ..point(Workload::Load, 1) };
    let mut operations = Operations::new(&data(), &point, 0, 0);
    for first in [0, 100] {
        let Operation::Load(load) = operations.next() else { panic!("no load") };
        assert_eq!((load.batch, load.in_flight), (30, 4));
        let names: Vec<_> = load.players().map(|player| player.name).collect();
        assert_eq!((names.len(), &names[0]), (100, &format!("new_{first}")));
        let batches: Vec<_> = load.batches().collect();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [30, 30, 30, 10]);
        assert_eq!(batches.concat().into_iter().map(|player| player.name).collect::<Vec<_>>(), names);
    }
}

fn run() -> Run {
    Run {
        date: "2026-11-25T12:00:00Z".into(),
        command: "tidb-connect bench".into(),
        server: "8.0.11-TiDB-v8.5.3".into(),
        machine: Machine::this(),
        drivers: [("sqlx".to_owned(), "0.8.6".to_owned())].into(),
        settings: settings(),
        measurements: Vec::new(),
    }
}

#[test]
fn a_run_is_what_its_json_says() {
    let mut ours = measured("tidb-connect-mysql-blocking", &[(80_000.0, 11_000.0)]);
    ours.compare(&measured("mysql", &[(100_000.0, 10_000.0)]), false);
    ours.first_error = Some("it failed".into());
    ours.rounds[0].errors = 1;
    let run = Run {
        measurements: vec![Measurement {
            point: point(Workload::PointRead, 1),
            subjects: vec![measured("mysql", &[(100_000.0, 10_000.0)]), ours],
        }],
        ..run()
    };
    let json = serde_json::to_string(&run).expect("JSON");
    assert_eq!(serde_json::from_str::<Run>(&json).expect("a run"), run);
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let measurement = &value["measurements"][0];
    assert_eq!((&measurement["workload"], &measurement["tasks"]), (&"point_read".into(), &1.into()));
    assert_eq!(measurement["subjects"][1]["ratio"]["median"], 1.25);

    let text = run.text();
    assert!(text.contains("1.25–1.25") && text.contains("1 operations failed, the first with: it failed"), "{text}");
    let row = text.lines().find(|line| line.starts_with("tidb-connect-mysql-blocking")).expect("a row");
    assert_eq!(row.split_whitespace().count(), 7, "a row is a line: {text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}
