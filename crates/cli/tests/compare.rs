//! `compare`: what the drivers do, as a table, as JSON, as pages, and as changes.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use serde_json::{Value, json};
use support::{Cli, DRIVERS, Database, Ended, Relay, Then, eventually, nobody, offering_tls};
use tidb_connect_compare::{Run, Server};

/// One comparison at a time, so that a test sees what is left of its own.
static COMPARING: Mutex<()> = Mutex::new(());

const PROBE: &str = "unchanged_row_affected";

fn compare<'a>(database: &Database, args: impl IntoIterator<Item = &'a str>) -> Ended {
    let _alone = COMPARING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    Cli::new(["compare"].into_iter().chain(args)).database(database).end()
}

fn left(database: &mut Database) -> Vec<String> {
    database.sql("SHOW DATABASES LIKE 'tidb\\_connect\\_compare\\_%'")
}

/// The kept runs with their files, the newest first.
fn kept_runs() -> Vec<(String, Run)> {
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runs/compare");
    let read = |path: PathBuf| (path.to_str().unwrap().to_owned(), read(&fs::read_to_string(path).unwrap()));
    let mut runs: Vec<_> = fs::read_dir(runs).unwrap().map(|file| read(file.unwrap().path())).collect();
    runs.sort_by(|(_, a), (_, b)| b.date.cmp(&a.date));
    runs
}

fn kept_run() -> String {
    kept_runs().swap_remove(0).0
}

fn read(json: &str) -> Run {
    serde_json::from_str(json).unwrap()
}

#[test]
fn every_driver_answers_and_nothing_is_left() {
    let mut database = Database::create();
    let ended = compare(&database, ["--only", PROBE, "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let run: Value = serde_json::from_str(&ended.stdout).unwrap();
    let probe = &run["probes"][0];
    assert_eq!((run["probes"].as_array().unwrap().len(), &probe["id"]), (1, &json!(PROBE)));
    // What facts.md and the sources of the drivers say of it.
    for (name, answer) in [("sqlx", "1"), ("mysql", "0"), ("mysql_async", "0"), ("tidb-connect-mysql", "1")] {
        assert_eq!(probe["answers"][name], answer, "{probe:#}");
    }
    for driver in DRIVERS {
        let packets = probe["evidence"][driver].to_string();
        assert!(packets.contains("UPDATE t SET n = 1"), "{packets}");
        assert!(run["drivers"][driver].as_str().unwrap().contains('.'), "{run:#}");
    }
    assert!(!run["server"]["version"].as_str().unwrap().is_empty());
    assert_eq!(left(&mut database), [""; 0]);
}

/// sqlx encrypts where it can: its packets could not be seen.
#[test]
fn every_question_about_packets_is_answered_where_the_server_offers_tls() {
    let database = Database::create();
    let asked = ["cancelled_during_statement", "commit_unanswered", PROBE].map(|probe| ["--only", probe]);
    let answers = |cli: Cli| {
        let _alone = COMPARING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let ended = cli.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let run: Value = serde_json::from_str(&ended.stdout).unwrap();
        let probes = run["probes"].as_array().unwrap();
        probes.iter().map(|probe| probe["answers"].clone()).collect::<Vec<_>>()
    };
    let args: Vec<_> = ["compare", "--format", "json"].into_iter().chain(asked.into_iter().flatten()).collect();
    let plain = answers(Cli::new(args.clone()).database(&database));
    assert_eq!(plain.len(), 3);
    let offering = offering_tls(&database.server);
    assert_eq!(answers(Cli::new(args).database(&database).server(offering)), plain);
}

#[test]
fn one_driver_and_a_table() {
    let ended = compare(&Database::create(), ["--only", PROBE, "--driver", "mysql"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let (head, _) = ended.stdout.split_once(PROBE).unwrap();
    assert!(head.contains("mysql ") && ended.stdout.contains("ours: 1"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("≠ unchanged"), "one driver does not differ from itself: {}", ended.stdout);
}

#[test]
fn a_run_can_be_printed_again_and_compared_without_a_server() {
    let (run, cli) = (kept_run(), |args: &[&str]| Cli::new(["compare"].into_iter().chain(args.iter().copied())).end());
    let json = cli(&["--from", &run, "--format", "json"]);
    assert_eq!(read(&json.stdout), read(&fs::read_to_string(&run).unwrap()), "{}", json.stderr);
    let page = cli(&["--from", &run, "--format", "html"]);
    assert!(page.stdout.starts_with("<!DOCTYPE html>") && page.code == Some(0), "{}", page.stderr);
    let same = cli(&["--from", &run, "--against", &run]);
    assert!(same.stdout.contains("nothing has changed"), "{}", same.stdout);
}

#[test]
fn what_has_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut earlier: Value = serde_json::from_str(&fs::read_to_string(kept_run()).unwrap()).unwrap();
    let probes = earlier["probes"].as_array_mut().unwrap();
    let probe = probes.iter_mut().find(|probe| probe["id"] == PROBE).unwrap();
    probe["answers"]["mysql"] = json!("what it once was");
    earlier["drivers"]["mysql"] = json!("27.0.0");
    let path = folder.path().join("earlier.json");
    fs::write(&path, earlier.to_string()).unwrap();

    let args = ["--only", PROBE, "--against", path.to_str().unwrap()];
    let ended = compare(&Database::create(), args);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let line = |of: &str| ended.stdout.lines().find(|line| line.contains(of)).unwrap_or_default().to_owned();
    assert!(line("version").contains("27.0.0"), "{}", ended.stdout);
    assert!(line(PROBE).contains("mysql") && ended.stdout.contains("what it"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("sqlx"), "sqlx has not changed: {}", ended.stdout);
}

/// The chapters whose answers do not depend on time.
const TIMELESS: &str = "results,statements,security,engineering";

#[test]
fn what_was_kept_is_still_observed() {
    let database = Database::create();
    let [version] = &Database::create().sql("SELECT VERSION()")[..] else { panic!("one row") };
    let server = Server::from_version(version);
    let kept = kept_runs().into_iter().find(|(_, run)| run.server.product == server.product);
    let (path, run) = kept.expect("a kept run on this product");
    let ended = compare(&database, ["--only", TIMELESS, "--against", &path, "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // Another version may do otherwise; what failed is an exit code.
    if run.server == server {
        let seen: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(seen["changes"]["answers"], json!([]), "make runs/compare anew, and look at what has changed");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    for (args, said) in [
        (["--only", "nonsense"], "results ("),
        (["--driver", "memory"], "sqlx, mysql or mysql_async"),
        (["--against", "nowhere.json"], "nowhere.json is not a run"),
    ] {
        let ended = Cli::new(["compare"].into_iter().chain(args)).server(nobody()).end();
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.stderr);
        assert!(ended.error().contains(said), "{args:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn nobody_there_is_said_as_run_says_it() {
    let of = |command| Cli::new([command]).server(nobody()).end();
    let (compare, run) = (of("compare"), of("run"));
    let without_port = |ended: &Ended| ended.error().replace(|c: char| c.is_ascii_digit(), "");
    assert_eq!((compare.code, without_port(&compare)), (Some(3), without_port(&run)));
}

#[test]
fn who_may_not_create_a_database_is_told_what_to_grant() {
    let mut database = Database::create();
    let user = database.create_user("secret");
    let ended = Cli::new(["compare"]).database(&database).env("TIDB_USER", &user).env("TIDB_PASSWORD", "secret").end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let error = ended.error();
    assert!(error.contains("grant it ALL on `tidb\\_connect\\_compare\\_%`.*") && error.contains(&user), "{error}");
}

#[test]
fn a_signal_ends_a_comparison_and_removes_its_database() {
    let _alone = COMPARING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut database = Database::create();
    // The first statement of the probe itself.
    let relay = Relay::start(&database.server, &["CREATE TABLE t"], Then::Hold);
    let running = Cli::new(["compare", "--only", PROBE]).database(&database).server(relay.addr).spawn();
    relay.met();
    assert_eq!(left(&mut database).len(), 1);
    running.signal("INT", "");
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""), "{}", ended.stderr);
    eventually("the database is gone", || left(&mut Database::create()).is_empty());
}
