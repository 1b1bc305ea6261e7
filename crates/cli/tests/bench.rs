//! `bench`: what is measured, what is refused, and what is left.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::{fs, sync::Mutex};

use serde_json::Value;
use support::{Cli, Database, Ended, Relay, Then, eventually, nobody};
use tidb_connect_bench::{Run, Workload};

/// One bench at a time, so that a test sees what is left of its own.
static MEASURING: Mutex<()> = Mutex::new(());

/// As little as measures anything.
const TINY: [&str; 10] =
    ["--rows", "20", "--connections", "2", "--rounds", "1", "--seconds", "0.02", "--warm-up", "0.01"];

fn bench<'a>(database: &Database, args: impl IntoIterator<Item = &'a str>) -> Ended {
    let _alone = MEASURING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    Cli::new(["bench"].into_iter().chain(TINY).chain(args)).database(database).end()
}

fn left(database: &mut Database) -> Vec<String> {
    database.sql("SHOW DATABASES LIKE 'tidb\\_connect\\_bench\\_%'")
}

#[test]
fn every_subject_does_every_workload_and_nothing_is_left() {
    let mut database = Database::create();
    let ended = bench(&database, ["--tasks", "3", "--batch", "10", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let run: Run = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(run.measurements.iter().map(|of| of.point.workload).collect::<Vec<_>>(), Workload::ALL);
    for measurement in &run.measurements {
        let names: Vec<_> = measurement.subjects.iter().map(|of| of.subject.as_str()).collect();
        let mut expected = vec![
            "sqlx",
            "tidb-connect-sqlx",
            "sqlx-pool",
            "mysql",
            "tidb-connect-mysql-blocking",
            "tidb-connect-mysql",
            "mysql-pool",
            "mysql_async",
            "tidb-connect-mysql-async",
            "mysql_async-pool",
        ];
        if matches!(measurement.point.workload, Workload::BulkLoad | Workload::Load) {
            expected.push("mysql_async-load-data");
        }
        assert_eq!(names, expected);
        for of in &measurement.subjects {
            // Whoever meets another's trade and does not try again fails, which is what hot trades are for.
            let may_fail = measurement.point.workload == Workload::TradeHot && !of.subject.starts_with("tidb-connect");
            assert!(may_fail || of.first_error.is_none(), "{:?}: {of:?}", measurement.point);
            let bare = ["sqlx", "mysql", "mysql_async"].contains(&of.subject.as_str());
            assert!(of.heap_bytes.is_some_and(|bytes| bytes > 1000), "{of:?}");
            assert!(bare || may_fail || of.ratio.as_ref().is_some_and(|ratio| ratio.to == of.driver), "{of:?}");
        }
    }
    assert!(run.drivers["sqlx"].contains('.') && !run.server.is_empty(), "{run:?}");
    assert_eq!(left(&mut database), [""; 0]);
}

#[test]
fn what_reading_all_players_holds_does_not_grow_with_them() {
    let args = ["--only", "scan", "--tasks", "1", "--connections", "1", "--rows", "2000,20000", "--json"];
    let _alone = MEASURING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let rounds = ["bench", "--rounds", "1", "--seconds", "0.01", "--warm-up", "0"];
    let ended = Cli::new(rounds.into_iter().chain(args)).database(&Database::create()).end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let run: Run = serde_json::from_str(&ended.stdout).unwrap();
    let [few, many] = &run.measurements[..] else { panic!("{run:?}") };
    for (few, many) in few.subjects.iter().zip(&many.subjects) {
        let (few, many) = (few.heap_bytes.unwrap(), many.heap_bytes.unwrap_or_else(|| panic!("{many:?}")));
        // A page of players, and with it what a connection needs.
        let page = u64::from(Workload::PAGE) * 32;
        assert!(few > page && many > page, "less than a page is counted: {few} and {many}");
        assert!(many < few + (512 << 10) && many < 32 << 20, "{few} bytes for 2,000 players, {many} for 20,000");
    }
}

#[test]
fn growth_is_several_values_in_one_run_which_its_command_makes_again() {
    let args = ["--driver", "mysql_async", "--only", "point_read", "--tasks", "1,4", "--round-trip", "0,2", "--json"];
    let ended = bench(&Database::create(), args);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let run: Run = serde_json::from_str(&ended.stdout).unwrap();
    let points: Vec<_> = run.measurements.iter().map(|of| (of.point.round_trip_ms, of.point.tasks)).collect();
    assert_eq!(points, [(0, 1), (0, 4), (2, 1), (2, 4)]);
    for of in run.measurements.iter().filter(|of| of.point.round_trip_ms == 2).flat_map(|of| &of.subjects) {
        assert!(of.latency_us.p50 >= 2000.0, "an answer came sooner than the link lets it: {of:?}");
    }
    assert_eq!(
        run.command,
        "tidb-connect bench --driver mysql_async --only point_read --tasks 1,4 --connections 2 --rows 20 --batch 500 \
         --in-flight 1 --round-trip 0,2 --rounds 1 --seconds 0.02 --warm-up 0.01"
    );
}

#[test]
fn a_rate_and_a_table_and_the_same_again_without_a_server() {
    let database = Database::create();
    let args = ["--driver", "sqlx", "--only", "mixed", "--rate", "500", "--seconds", "0.2", "--rounds", "2"];
    let measured = {
        let _alone = MEASURING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Cli::new(["bench", "--rows", "20", "--json"].into_iter().chain(args)).database(&database).end()
    };
    assert_eq!(measured.code, Some(0), "{}", measured.stderr);
    let run: Run = serde_json::from_str(&measured.stdout).unwrap();
    let due = run.measurements[0].subjects.iter().flat_map(|of| &of.rounds);
    // 500 a second for 0.2 s; whether a server under test keeps up is not this test's to say.
    for round in due {
        assert_eq!(round.operations + round.errors + round.not_started, 100, "{round:?}");
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    fs::write(&path, &measured.stdout).unwrap();
    let again = |args: &[&str]| {
        let path = path.to_str().unwrap();
        Cli::new(["bench", "--from", path].into_iter().chain(args.iter().copied())).end()
    };
    assert_eq!(again(&["--json"]).stdout, measured.stdout);
    let text = again(&[]).stdout;
    assert!(text.contains("tidb-connect-sqlx") && text.contains("500 a second"), "{text}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for (args, said) in [
        (["--in-flight", "0"], "at least one statement is in flight"),
        (["--driver", "memory"], "sqlx, mysql or mysql_async"),
        (["--tasks", "0"], "at least one task"),
        (["--rate", "0"], "a rate is more than 0"),
        (["--from", "nowhere.json"], "nowhere.json is not a run of tidb-connect bench --json"),
        (["--host", "db.example.com"], "db.example.com is not on this machine: add --remote"),
    ] {
        let ended = Cli::new(["bench"].into_iter().chain(args)).end();
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.stderr);
        assert!(ended.error().contains(said), "{args:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    let ended = Cli::new(["bench", "--only", "nonsense"]).end();
    assert!(ended.code == Some(2) && ended.stderr.contains("bulk_load"), "{}", ended.stderr);
}

#[test]
fn nobody_there_is_said_as_run_says_it() {
    let of = |command| Cli::new([command]).server(nobody()).end();
    let (bench, run) = (of("bench"), of("run"));
    let without_port = |ended: &Ended| ended.error().replace(|c: char| c.is_ascii_digit(), "");
    assert_eq!((bench.code, without_port(&bench)), (Some(3), without_port(&run)));
}

#[test]
fn who_may_not_create_a_database_is_told_what_to_grant() {
    let mut database = Database::create();
    let user = database.create_user("secret");
    let ended = Cli::new(["bench"]).database(&database).env("TIDB_USER", &user).env("TIDB_PASSWORD", "secret").end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let error = ended.error();
    assert!(error.contains("grant it ALL on `tidb\\_connect\\_bench\\_%`.*") && error.contains(&user), "{error}");
}

#[test]
fn a_signal_ends_a_bench_and_removes_its_database() {
    let _alone = MEASURING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut database = Database::create();
    // What the subjects do, on threads of their own and on tasks, and what they do before that.
    for (driver, watched) in
        [("sqlx", &["WHERE id = ?"]), ("mysql", &["WHERE id = ?"]), ("mysql_async", &["INSERT INTO players"])]
    {
        let relay = Relay::start(&database.server, watched, Then::Hold);
        let args = ["bench", "--driver", driver, "--only", "point_read", "--tasks", "4", "--seconds", "60"];
        let running = Cli::new(args).database(&database).server(relay.addr).spawn();
        relay.met();
        assert_eq!(left(&mut database).len(), 1, "{driver}");
        running.signal("INT", "");
        let ended = running.end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""), "{driver}: {}", ended.stderr);
        eventually("the database is gone", || left(&mut Database::create()).is_empty());
    }
}

#[test]
fn a_run_is_charts_in_the_page_of_a_comparison() {
    let ended = bench(&Database::create(), ["--driver", "sqlx", "--only", "point_read", "--tasks", "1,2", "--json"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.json");
    fs::write(&path, &ended.stdout).unwrap();
    let runs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../runs/compare");
    let run = fs::read_dir(runs).unwrap().map(|file| file.unwrap().path()).min().unwrap();
    let compare = |format| {
        let (run, bench) = (run.to_str().unwrap(), path.to_str().unwrap());
        let ended = Cli::new(["compare", "--from", run, "--bench", bench, "--format", format]).end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    };
    let html = compare("html");
    assert!(html.contains("<svg") && html.contains("tidb-connect-sqlx") && !html.contains("<script"), "{html}");
    let markdown = compare("markdown");
    assert!(markdown.contains("| `tidb-connect-sqlx` |"), "{markdown}");
    // The comparison's own JSON has no place for it.
    assert!(serde_json::from_str::<Value>(&compare("json")).unwrap().get("measurements").is_none());
}
