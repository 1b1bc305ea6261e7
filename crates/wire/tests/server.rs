//! The proxy in front of a real server.

use std::env;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};
use tidb_connect_wire::{CommandKind, ConnectionReport, Proxy};

const NO_SERVER: &str = "no server to test with: set TIDB_HOST/TIDB_PORT or run through `just test`";

fn server() -> SocketAddr {
    let port = env::var("TIDB_PORT").expect(NO_SERVER);
    let port = port.parse::<u16>().expect("TIDB_PORT is not a port");
    let host = env::var("TIDB_HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    (host.as_str(), port).to_socket_addrs().expect("TIDB_HOST has no address").next().expect("TIDB_HOST has no address")
}

/// Connects in one round trip: without asking for the server's socket and packet size.
fn connect(proxy: &Proxy) -> Conn {
    let options = OptsBuilder::new()
        .ip_or_hostname(Some(proxy.addr().ip().to_string()))
        .tcp_port(proxy.addr().port())
        .user(Some(env::var("TIDB_USER").unwrap_or_else(|_| "root".to_owned())))
        .prefer_socket(false)
        .max_allowed_packet(Some(64 << 20));
    Conn::new(options).expect("the proxy leads to a server")
}

fn commands(report: &ConnectionReport) -> Vec<String> {
    report.commands.iter().map(ToString::to_string).collect()
}

#[test]
fn every_step_of_a_connection_is_counted_when_its_answer_is_there() {
    let proxy = Proxy::start(server()).unwrap();
    let round_trips = || proxy.report().round_trips();
    assert_eq!(round_trips(), 0);

    let mut conn = connect(&proxy);
    assert_eq!(round_trips(), 1);
    assert_eq!(conn.query_first::<u8, _>("SELECT 1").unwrap(), Some(1));
    assert_eq!(round_trips(), 2);
    let statement = conn.prep("SELECT ? + 1").unwrap();
    assert_eq!(round_trips(), 3);
    for n in [1, 41] {
        let row = conn.exec_first::<i64, _, _>(&statement, (n,)).unwrap();
        assert_eq!(row, Some(n + 1));
    }
    assert_eq!(round_trips(), 5);
    conn.close(statement).unwrap();
    conn.ping().unwrap();
    assert_eq!(round_trips(), 6, "a statement's closing has no answer");
    conn.reset().unwrap();
    assert_eq!(round_trips(), 7);
    drop(conn);

    let report = proxy.stop();
    assert_eq!(report.round_trips(), 8);
    let [connection] = &report.connections[..] else {
        panic!("one connection, not {report:?}");
    };
    assert_eq!(
        commands(connection),
        [
            "COM_QUERY SELECT 1",
            "COM_STMT_PREPARE SELECT ? + 1",
            "COM_STMT_EXECUTE",
            "COM_STMT_EXECUTE",
            "COM_STMT_CLOSE",
            "COM_PING",
            "COM_RESET_CONNECTION",
            "COM_QUIT",
        ]
    );
    assert!(!connection.tls);
    assert!(connection.bytes_up > 0 && connection.bytes_down > 0);
}

#[test]
fn connections_are_reported_apart() {
    let proxy = Proxy::start(server()).unwrap();
    let mut first = connect(&proxy);
    let mut second = connect(&proxy);
    second.query_drop("SELECT 2").unwrap();
    first.query_drop("SELECT 1").unwrap();
    second.query_drop("SELECT 3").unwrap();
    let report = proxy.report();
    assert_eq!(report.round_trips(), 5);
    assert_eq!(commands(&report.connections[0]), ["COM_QUERY SELECT 1"]);
    assert_eq!(commands(&report.connections[1]), ["COM_QUERY SELECT 2", "COM_QUERY SELECT 3"]);
}

#[test]
fn long_statements_and_results_pass_whole() {
    let proxy = Proxy::start(server()).unwrap();
    let mut conn = connect(&proxy);
    let text = "x".repeat(1 << 20);
    let row = conn.query_first::<String, _>(format!("SELECT '{text}'"));
    assert!(row.unwrap().as_ref() == Some(&text));
    let report = proxy.report();
    assert_eq!(report.round_trips(), 2);
    let command = &report.connections[0].commands[0];
    assert_eq!(command.kind, CommandKind::Query);
    assert!(report.connections[0].bytes_up > 1 << 20);
    assert!(report.connections[0].bytes_down > 1 << 20);
}

#[test]
fn the_last_words_of_a_client_are_in_the_last_report() {
    for _ in 0..50 {
        let proxy = Proxy::start(server()).unwrap();
        drop(connect(&proxy));
        let report = proxy.stop();
        assert_eq!(report.round_trips(), 2);
        assert_eq!(commands(&report.connections[0]), ["COM_QUIT"]);
    }
}

#[test]
fn stopping_cuts_a_client_that_is_connected() {
    let proxy = Proxy::start(server()).unwrap();
    let mut conn = connect(&proxy);
    let started = Instant::now();
    let report = proxy.stop();
    assert!(started.elapsed() < Duration::from_secs(4), "nothing to wait for");
    assert_eq!(report.round_trips(), 1);
    assert!(conn.ping().is_err());
}
