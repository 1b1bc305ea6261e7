//! The faults that a proxy lets strike, between a client and a server whose part a stand-in plays.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};
use support::eventually;
use tidb_connect_wire::{Answer, CommandKind, Fault, Point, Proxy, Refusal, Script, StandIn, Then, Visit, refusals};

/// What takes longer than this is waited for in vain.
const LIMIT: Duration = Duration::from_millis(500);

/// No fault here is armed for this long.
const LONG: Duration = Duration::from_millis(300);

const CONFLICT: Refusal = Refusal { code: 9007, sqlstate: Some("HY000"), text: "Write conflict" };

struct Bench {
    server: StandIn,
    proxy: Proxy,
}

impl Bench {
    fn new(script: Script) -> Self {
        let server = StandIn::start(script).expect("a stand-in");
        let proxy = Proxy::start(server.addr()).expect("a proxy");
        Self { server, proxy }
    }

    fn plain() -> Self {
        Self::new(Script::new())
    }

    /// Armed for the statement `DO 1`.
    fn armed(fault: Fault) -> Self {
        let bench = Self::plain();
        bench.proxy.arm(Point::statement("DO 1"), fault);
        bench
    }

    fn connect(&self) -> mysql::Result<Conn> {
        let options = OptsBuilder::new()
            .ip_or_hostname(Some("127.0.0.1"))
            .tcp_port(self.proxy.addr().port())
            .user(Some("teller"))
            .prefer_socket(false)
            .read_timeout(Some(LIMIT))
            .max_allowed_packet(Some(64 << 20));
        Conn::new(options)
    }

    /// What the server has got on its first connection, once that has ended.
    fn ended_visit(&self) -> Visit {
        let visit = || self.server.visits().swap_remove(0);
        eventually("the connection to the server ends", || !visit().open);
        visit()
    }

    /// The statements that the server has got.
    fn statements(&self) -> Vec<String> {
        let visits = self.server.visits();
        visits.iter().flat_map(|visit| &visit.commands).filter_map(|command| command.text.clone()).collect()
    }
}

/// The time that a call took, and that it failed.
fn fails<T>(call: impl FnOnce() -> mysql::Result<T>) -> Duration {
    let started = Instant::now();
    assert!(call().is_err(), "no error");
    started.elapsed()
}

fn code<T>(result: mysql::Result<T>) -> u16 {
    match result {
        Err(mysql::Error::MySqlError(error)) => error.code,
        Err(other) => panic!("not the server's error: {other}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn a_fault_strikes_once_and_only_at_its_point() {
    let bench = Bench::armed(Fault::AfterRequest(0, Answer::Error(CONFLICT)));
    let mut conn = bench.connect().unwrap();
    conn.query_drop("DO 2").unwrap();
    assert_eq!(bench.proxy.disarm(), 0);
    bench.proxy.arm(Point::Command(CommandKind::Query), Fault::AfterRequest(0, Answer::Error(CONFLICT)));
    conn.ping().unwrap();
    assert_eq!(code(conn.query_drop("DO 1")), 9007);
    conn.query_drop("DO 3").unwrap();
    assert_eq!(bench.proxy.disarm(), 1);
    assert_eq!(bench.proxy.disarm(), 0, "the count begins anew");
    assert_eq!(bench.statements(), ["DO 2", "DO 3"], "the server does not see what is answered in its place");
}

#[test]
fn a_disarmed_fault_does_not_strike() {
    let bench = Bench::armed(Fault::AfterRequest(0, Answer::Close));
    assert_eq!(bench.proxy.disarm(), 0);
    bench.connect().unwrap().query_drop("DO 1").unwrap();
}

#[test]
fn a_cut_before_the_request_keeps_it_from_the_server() {
    for part in [0, 1, 8] {
        let bench = Bench::armed(Fault::AfterRequest(part, Answer::Close));
        let mut conn = bench.connect().unwrap();
        assert!(fails(|| conn.query_drop("DO 1")) < LIMIT, "it is an end, not a silence");
        drop(conn);
        let sent = bench.ended_visit().sent;
        assert_eq!(bench.statements(), [""; 0], "after {part} bytes");
        assert!(sent.ends_with(&b"\x05\0\0\0\x03DO 1"[..part as usize]), "the first {part} bytes have come");
    }
}

#[test]
fn a_dropped_answer_is_one_to_a_request_that_was_done() {
    for part in [0, 1, 10] {
        let bench = Bench::armed(Fault::AfterAnswer(part, Answer::Close));
        let mut conn = bench.connect().unwrap();
        let before = bench.proxy.report().connections[0].bytes_down;
        assert!(fails(|| conn.query_drop("DO 1")) < LIMIT);
        assert_eq!(bench.statements(), ["DO 1"]);
        assert_eq!(bench.proxy.report().connections[0].bytes_down, before + part, "the rest is cut off");
    }
}

#[test]
fn silence_lasts_until_the_client_gives_up() {
    for (fault, arrives) in [
        (Fault::AfterRequest(0, Answer::Silence), false),
        (Fault::AfterAnswer(0, Answer::Silence), true),
        (Fault::AfterRequest(0, Answer::Header(0xff_ffff)), false),
    ] {
        let bench = Bench::armed(fault.clone());
        let mut conn = bench.connect().unwrap();
        assert!(fails(|| conn.query_drop("DO 1")) >= LIMIT, "{fault:?}");
        assert_eq!(bench.statements().len(), usize::from(arrives), "{fault:?}");
    }
}

#[test]
fn a_delay_lasts_and_ends() {
    for after in [0, 3] {
        let bench = Bench::armed(Fault::Delay(after, LONG));
        let mut conn = bench.connect().unwrap();
        let started = Instant::now();
        conn.query_drop("DO 1").unwrap();
        assert!(started.elapsed() >= LONG, "after {after} bytes");
        conn.ping().unwrap();
    }
}

#[test]
fn slices_are_read_as_the_whole() {
    let bench = Bench::new(Script::new().on_statement("SELECT 1", Answer::Row("one".into())));
    for point in [Point::Connect, Point::Login, Point::statement("SELECT 1")] {
        bench.proxy.arm(point, Fault::Slice);
        let mut conn = bench.connect().unwrap();
        assert_eq!(conn.query::<String, _>("SELECT 1").unwrap(), ["one"]);
        assert_eq!(bench.proxy.disarm(), 1);
    }
}

#[test]
fn slices_come_one_by_one() {
    let bench = Bench::new(Script::new().on_connect(Answer::Bytes(b"SSH-2.0".into(), Then::Close)));
    bench.proxy.arm(Point::Connect, Fault::Slice);
    let mut socket = TcpStream::connect(bench.proxy.addr()).unwrap();
    let (mut piece, mut pieces) = ([0; 7], 0);
    while socket.read(&mut piece).unwrap() > 0 {
        pieces += 1;
    }
    // A reader that is late gets some of them together.
    assert!(pieces > 1, "{pieces}");
}

#[test]
fn nothing_reaches_the_server_of_a_client_that_is_refused() {
    let bench = Bench::plain();
    for answer in
        [Answer::Close, Answer::Error(refusals::TOO_MANY_CONNECTIONS), Answer::Bytes(b"?".into(), Then::Close)]
    {
        bench.proxy.arm(Point::Connect, Fault::AfterRequest(0, answer));
        assert!(bench.connect().is_err());
    }
    assert_eq!(bench.server.visits().len(), 0);
    bench.connect().unwrap();
}

#[test]
fn a_login_can_be_answered_in_the_servers_place() {
    let bench = Bench::plain();
    bench.proxy.arm(Point::Login, Fault::AfterRequest(0, Answer::Error(refusals::DENIED)));
    assert_eq!(code(bench.connect()), 1045);
    bench.proxy.arm(Point::Login, Fault::AfterRequest(0, Answer::AuthSwitch("mysql_clear_password".into())));
    assert!(bench.connect().is_err());
    assert!(bench.server.visits().iter().all(|visit| !visit.login));
    bench.connect().unwrap();
}

#[test]
fn an_error_among_the_rows_is_read_and_the_connection_goes_on() {
    let bench = Bench::new(Script::new().on_statement("SELECT 1", Answer::Row("one".into())));
    let mut conn = bench.connect().unwrap();
    // Within the columns, their end, and the row.
    for after in [1, 7, 40, 50] {
        bench.proxy.arm(Point::statement("SELECT 1"), Fault::AfterAnswer(after, Answer::Error(CONFLICT)));
        assert_eq!(code(conn.query::<String, _>("SELECT 1")), 9007, "after {after} bytes");
        assert_eq!(conn.query::<String, _>("SELECT 1").unwrap(), ["one"]);
    }
}

#[test]
fn a_request_in_pieces_meets_its_fault() {
    let bench = Bench::armed(Fault::AfterRequest(0, Answer::Close));
    let mut socket = TcpStream::connect(bench.proxy.addr()).unwrap();
    socket.write_all(b"\x05\0\0\x01\x00\x82\0\0\0").unwrap();
    for byte in b"\x05\0\0\0\x03DO 1" {
        socket.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    socket.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(bench.proxy.disarm(), 1);
    assert_eq!(bench.statements(), [""; 0]);
}

#[test]
fn a_proxy_stops_at_once_in_the_middle_of_a_fault() {
    for fault in [Fault::AfterRequest(0, Answer::Silence), Fault::Delay(0, 20 * LONG)] {
        let bench = Bench::armed(fault);
        let mut conn = bench.connect().unwrap();
        assert!(conn.query_drop("DO 1").is_err());
        let started = Instant::now();
        let proxy = bench.proxy;
        proxy.stop();
        assert!(started.elapsed() < LIMIT);
    }
}
