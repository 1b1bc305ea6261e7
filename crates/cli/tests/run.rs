//! `run`: the reference output, its price in round trips, and nothing left behind however it ends.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::time::Duration;

use support::{Cli, DRIVERS, Database, Relay, Then};
use tidb_connect_wire::{CommandKind, ConnectionReport, Proxy};

const MADE: &str = "the table players that this run made";

#[test]
fn each_driver_prints_the_reference_output_and_leaves_nothing() {
    let mut database = Database::create();
    let version = database.sql("SELECT VERSION()").remove(0);
    for driver in DRIVERS {
        let ended = Cli::run(driver).database(&database).end();
        ended.succeeded();
        assert!(ended.stderr.contains(&format!("driver {driver}, server {version}")), "{}", ended.stderr);
        assert_eq!(database.tables(), [""; 0]);
    }
}

#[test]
fn memory_prints_the_reference_output_without_a_server() {
    let ended = Cli::run("memory").server(support::nobody()).end();
    ended.succeeded();
    assert!(ended.stderr.contains("driver memory"), "{}", ended.stderr);
}

/// What the proxy saw of the one connection that a run makes.
fn watched_run(driver: &str) -> ConnectionReport {
    let database = Database::create();
    let proxy = Proxy::start(database.server.addr()).unwrap();
    Cli::run(driver).database(&database).server(proxy.addr()).end().succeeded();
    let [connection] = <[_; 1]>::try_from(proxy.stop().connections).expect("one connection");
    connection
}

fn listed(connection: &ConnectionReport) -> String {
    connection.commands.iter().map(|command| format!("\n  {:.100}", command.to_string())).collect()
}

#[test]
fn a_run_takes_28_round_trips_at_most() {
    for driver in DRIVERS {
        let connection = watched_run(driver);
        let trips = connection.round_trips;
        assert!((1..=28).contains(&trips), "{driver}: {trips} round trips{}", listed(&connection));
    }
}

#[test]
fn a_new_connection_costs_the_login_and_one_set() {
    for driver in DRIVERS {
        let connection = watched_run(driver);
        let listed = listed(&connection);
        let texts: Vec<_> = connection.commands.iter().filter_map(|command| command.text.as_deref()).collect();
        assert!(texts[0].starts_with("SET time_zone") && texts[1] == "SELECT VERSION()", "{driver}:{listed}");
        // Nobody waits after closing a statement, and for each other command once: what is left is the login.
        let waited = connection.commands.iter().filter(|command| command.kind != CommandKind::CloseStatement).count();
        assert_eq!(connection.round_trips, 1 + waited as u64, "{driver}:{listed}");
    }
}

#[test]
fn a_table_that_was_there_before_is_left_alone() {
    let mut database = Database::create();
    database.sql("CREATE TABLE players (mine INT)");
    database.sql("INSERT INTO players VALUES (42)");
    for driver in DRIVERS {
        let ended = Cli::run(driver).database(&database).end();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{}", ended.stderr);
        assert_eq!(ended.error(), "error: create_table: the table exists already", "{driver}");
        assert!(ended.stderr.contains("it is left alone: set TIDB_DB_NAME to another database"), "{}", ended.stderr);
        assert_eq!(database.sql("SELECT mine FROM players"), ["42"]);
    }
}

#[test]
fn a_run_that_loses_its_connection_removes_the_table() {
    let mut database = Database::create();
    for driver in DRIVERS {
        let relay = Relay::start(&database.server, &["INSERT INTO"], Then::Cut);
        let ended = Cli::run(driver).database(&database).server(relay.addr).end();
        assert_eq!(ended.code, Some(1), "{driver}: {}", ended.stderr);
        assert!(ended.stderr.contains("caused by: "), "{driver}: {}", ended.stderr);
        assert!(ended.stderr.contains(&format!("{MADE} has been removed")), "{driver}: {}", ended.stderr);
        assert_eq!(database.tables(), [""; 0], "{driver}");
    }
}

#[test]
fn a_run_that_loses_its_server_says_that_the_table_is_still_there() {
    let mut database = Database::create();
    for driver in DRIVERS {
        let relay = Relay::start(&database.server, &["INSERT INTO"], Then::Die);
        let ended = Cli::run(driver).database(&database).server(relay.addr).end();
        assert_eq!(ended.code, Some(1), "{driver}: {}", ended.stderr);
        let hint = format!("{MADE} could not be removed; DROP TABLE players removes it");
        assert!(ended.stderr.contains(&hint), "{driver}: {}", ended.stderr);
        assert_eq!(database.tables(), ["players"], "{driver}");
        database.sql("DROP TABLE players");
    }
}

#[test]
fn a_signal_ends_a_run_and_removes_the_table() {
    let mut database = Database::create();
    for (driver, signal) in DRIVERS.iter().flat_map(|driver| ["INT", "TERM"].map(|signal| (driver, signal))) {
        let relay = Relay::start(&database.server, &["INSERT INTO"], Then::Hold);
        let running = Cli::run(driver).database(&database).server(relay.addr).spawn();
        relay.met();
        assert_eq!(database.tables(), ["players"]);
        running.signal(signal, "");
        let ended = running.end();
        assert_eq!(ended.code, Some(130), "{driver}, {signal}: {}", ended.stderr);
        assert_eq!(ended.error(), "error: interrupted");
        assert!(ended.stderr.contains(&format!("{MADE} has been removed")), "{driver}: {}", ended.stderr);
        assert_eq!(database.tables(), [""; 0], "{driver}, {signal}");
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_table() {
    let mut database = Database::create();
    for driver in DRIVERS {
        let relay = Relay::start(&database.server, &["INSERT INTO", "DROP TABLE"], Then::Hold);
        let running = Cli::run(driver).database(&database).server(relay.addr).spawn();
        for _ in 0..2 {
            relay.met();
            running.signal("INT", "");
        }
        let ended = running.end_within(Duration::from_secs(20));
        assert_eq!(ended.code, Some(130), "{driver}: {}", ended.stderr);
        assert!(ended.stderr.contains(&format!("{MADE} could not be removed")), "{driver}: {}", ended.stderr);
        database.sql("DROP TABLE players");
    }
}

#[test]
fn a_reader_who_goes_away_ends_the_run_as_a_broken_pipe() {
    let mut database = Database::create();
    for driver in DRIVERS {
        let mut running = Cli::run(driver).database(&database).spawn();
        drop(running.child.stdout.take());
        let ended = running.end();
        assert_eq!(ended.code, Some(141), "{driver}: {}", ended.stderr);
        assert_eq!(database.tables(), [""; 0]);
    }
}

#[test]
fn who_closes_stderr_still_gets_the_result() {
    let database = Database::create();
    let mut running = Cli::run("sqlx").database(&database).spawn();
    drop(running.child.stderr.take());
    running.end().succeeded();
}

#[test]
fn an_unknown_driver_gets_the_list_of_known_ones() {
    let ended = Cli::run("diesel").end();
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("sqlx, mysql, mysql_async, memory"), "{}", ended.stderr);
}

#[test]
fn a_hyphen_is_as_good_as_an_underscore() {
    let database = Database::create();
    let ended = Cli::run("mysql-async").database(&database).end();
    ended.succeeded();
    assert!(ended.stderr.contains("driver mysql_async"), "{}", ended.stderr);
}
