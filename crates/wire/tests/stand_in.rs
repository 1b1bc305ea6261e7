//! What the stand-in says, to a driver and to a bare socket.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;
use mysql::{Conn, LocalInfileHandler, OptsBuilder, SslOpts};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use support::eventually;
use tidb_connect_wire::{Answer, CommandKind, Refusal, Script, StandIn, Then, Visit, refusals};

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(10);

fn start(script: Script) -> StandIn {
    StandIn::start(script).expect("a stand-in")
}

fn options(server: &StandIn) -> OptsBuilder {
    OptsBuilder::new()
        .ip_or_hostname(Some(server.addr().ip().to_string()))
        .tcp_port(server.addr().port())
        .user(Some("teller"))
        .pass(Some("secret"))
        .prefer_socket(false)
        .max_allowed_packet(Some(64 << 20))
        .read_timeout(Some(LIMIT))
}

fn connect(server: &StandIn) -> mysql::Result<Conn> {
    Conn::new(options(server))
}

/// A bare connection.
fn socket(server: &StandIn) -> TcpStream {
    let socket = TcpStream::connect(server.addr()).expect("the stand-in listens");
    socket.set_read_timeout(Some(LIMIT)).expect("not zero");
    socket
}

/// Everything up to the end of the connection.
fn rest(mut socket: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).expect("an orderly end");
    bytes
}

#[track_caller]
fn only(server: &StandIn) -> Visit {
    let [visit] = &server.visits()[..] else { panic!("one connection") };
    visit.clone()
}

fn refused(result: mysql::Result<impl Sized>) -> (u16, String, String) {
    match result {
        Err(mysql::Error::MySqlError(error)) => (error.code, error.state, error.message),
        Err(other) => panic!("not the server's error: {other}"),
        Ok(_) => panic!("no refusal"),
    }
}

#[test]
fn without_a_script_every_login_and_command_is_accepted() {
    let server = start(Script::new());
    let mut conn = connect(&server).unwrap();
    assert_eq!(conn.server_version(), (8, 0, 11));
    assert_eq!(conn.connection_id(), 1);
    conn.query_drop("SET x = 1").unwrap();
    conn.ping().unwrap();
    conn.reset().unwrap();
    let statement = conn.prep("DELETE FROM t").unwrap();
    conn.exec_drop(&statement, ()).unwrap();
    conn.close(statement).unwrap();
    drop(conn);
    eventually("the goodbye is read", || !only(&server).open);
    let visit = only(&server);
    let commands: Vec<String> = visit.commands.iter().map(ToString::to_string).collect();
    assert_eq!(
        commands,
        [
            "COM_QUERY SET x = 1",
            "COM_PING",
            "COM_RESET_CONNECTION",
            "COM_STMT_PREPARE DELETE FROM t",
            "COM_STMT_EXECUTE",
            "COM_STMT_CLOSE",
            "COM_QUIT",
        ]
    );
    assert!(visit.login && !visit.tls);
    assert!(visit.has_sent("teller") && visit.has_sent("SET x = 1") && !visit.has_sent("secret"));
}

#[test]
fn connections_are_seen_apart() {
    let server = start(Script::new());
    let (mut first, mut second) = (connect(&server).unwrap(), connect(&server).unwrap());
    assert_eq!((first.connection_id(), second.connection_id()), (1, 2));
    second.query_drop("DO 2").unwrap();
    first.query_drop("DO 1").unwrap();
    let [one, two] = &server.visits()[..] else { panic!("two connections") };
    assert!(one.has_sent("DO 1") && !one.has_sent("DO 2") && one.open);
    assert!(two.has_sent("DO 2") && !two.has_sent("DO 1") && two.open);
}

#[test]
fn a_version_can_be_given() {
    let server = start(Script::new().with_version("5.7.25-TiDB-v4.0.0"));
    assert_eq!(connect(&server).unwrap().server_version(), (5, 7, 25));
}

#[test]
fn a_login_goes_over_tls_where_it_is_asked_for() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = start(Script::new().with_tls(Arc::new(tls)).on_statement("SELECT 1", Answer::Row("one".into())));
    let tls = SslOpts::default().with_danger_accept_invalid_certs(true);
    let mut conn = Conn::new(options(&server).ssl_opts(Some(tls))).unwrap();
    assert_eq!(conn.query_first::<String, _>("SELECT 1").unwrap().unwrap(), "one");
    let visit = only(&server);
    assert!(visit.tls && visit.login && visit.has_sent("teller") && visit.has_sent("SELECT 1"));
    assert!(Conn::new(options(&server)).is_ok(), "TLS is offered, not demanded");

    let plain = start(Script::new());
    let refused = Conn::new(options(&plain).ssl_opts(Some(SslOpts::default())));
    assert!(matches!(refused, Err(mysql::Error::DriverError(mysql::DriverError::TlsNotSupported))), "{refused:?}");
    assert!(!only(&plain).login);
}

#[test]
fn a_refusal_comes_in_place_of_the_greeting_and_the_connection_ends() {
    let refusal = refusals::TOO_MANY_CONNECTIONS;
    let server = start(Script::new().on_connect(Answer::Error(refusal)));
    assert_eq!(rest(&socket(&server)), b"\x1d\0\0\0\xff\x10\x04#08004Too many connections");
    let server = start(Script::new().on_connect(Answer::Error(refusal.without_sqlstate())));
    assert_eq!(rest(&socket(&server)), b"\x17\0\0\0\xff\x10\x04Too many connections");
    assert!(!only(&server).login);
}

#[test]
fn a_refusal_answers_the_login_and_the_connection_ends() {
    let server = start(Script::new().on_login(Answer::Error(refusals::DENIED)));
    let Refusal { code, text, .. } = refusals::DENIED;
    assert_eq!(refused(connect(&server)), (code, "28000".to_owned(), text.to_owned()));
    assert!(only(&server).login);
}

#[test]
fn a_refusal_of_a_command_leaves_the_connection_open() {
    let script = Script::new()
        .on_command(CommandKind::Query, Answer::Error(refusals::MUST_RESET_PASSWORD))
        .on_statement("DO 1", Answer::Ok)
        .on_command(CommandKind::Ping, Answer::Error(refusals::SHUTTING_DOWN));
    let server = start(script);
    let mut conn = connect(&server).unwrap();
    assert_eq!(refused(conn.query_drop("DO 2")).0, 1820);
    assert_eq!(refused(conn.ping()).0, 1053);
    conn.query_drop("DO 1").unwrap();
}

#[test]
fn a_row_is_read_by_clients_with_and_without_eof_packets() {
    let long = "x".repeat(300);
    let server = start(Script::new().on_statement("SELECT 1", Answer::Row(long.clone().into())));
    // This driver reads EOF packets.
    assert_eq!(connect(&server).unwrap().query::<String, _>("SELECT 1").unwrap(), [long]);

    let server = start(Script::new().on_command(CommandKind::Query, Answer::Row("one".into())));
    let mut socket = socket(&server);
    // DEPRECATE_EOF and PROTOCOL_41; the rest of a login does not matter.
    socket.write_all(b"\x04\0\0\x01\x00\x02\0\x01\x01\0\0\0\x03").unwrap();
    socket.write_all(b"\x01\0\0\0\x01").unwrap();
    let said = rest(&socket);
    let row = said.windows(8).position(|window| window == b"\x04\0\0\x03\x03one").expect("the row is packet 3");
    assert_eq!(&said[row + 8..][..5], b"\x07\0\0\x04\xfe", "an OK packet ends the rows");
}

#[test]
fn rows_end_at_the_limit_and_not_before() {
    let server = start(Script::new().on_statement("SELECT 1", Answer::Rows(1 << 20)));
    let mut conn = connect(&server).unwrap();
    let mut read = 0;
    let ended = conn
        .query_iter("SELECT 1")
        .unwrap()
        .try_for_each(|row| row.map(|row| read += row.as_ref(0).is_some() as usize));
    assert!(ended.is_err(), "the connection is closed");
    assert_eq!(read, 64, "rows of 16 KiB");
}

#[test]
fn the_client_is_asked_for_a_file_and_what_it_sends_is_kept() {
    let server = start(Script::new().on_statement("DO 1", Answer::LocalInfile("/etc/passwd".into())));
    let mut conn = connect(&server).unwrap();
    conn.query_drop("DO 1").unwrap();
    conn.set_local_infile_handler(Some(LocalInfileHandler::new(|name, upload| {
        upload.write_all(b"the file ")?;
        upload.write_all(name)
    })));
    conn.query_drop("DO 1").unwrap();
    assert!(only(&server).has_sent("the file /etc/passwd"));
    conn.ping().unwrap();
}

#[test]
fn the_client_is_asked_to_log_in_by_another_plugin_and_what_it_answers_is_kept() {
    let server = start(Script::new().on_login(Answer::AuthSwitch("mysql_clear_password".into())));
    let mut conn = Conn::new(options(&server).enable_cleartext_plugin(true)).unwrap();
    conn.ping().unwrap();
    assert!(only(&server).has_sent("secret\0"));

    let server = start(Script::new().on_login(Answer::AuthSwitch("mysql_native_password".into())));
    connect(&server).unwrap().ping().unwrap();
    assert!(!only(&server).has_sent("secret"));
}

#[test]
fn bytes_are_said_as_they_are() {
    let server = start(Script::new().on_connect(Answer::Bytes(b"SSH-2.0".into(), Then::Close)));
    assert_eq!(rest(&socket(&server)), b"SSH-2.0");

    let packet = Answer::Bytes(b"\x07\0\0\x01\0\x05\0\x02\0\0\0".into(), Then::Next);
    let server = start(Script::new().on_statement("DO 1", packet));
    let mut conn = connect(&server).unwrap();
    conn.query_drop("DO 1").unwrap();
    assert_eq!(conn.affected_rows(), 5);
    conn.ping().unwrap();

    let server = start(Script::new().on_connect(Answer::Bytes(b"SSH-2.0".into(), Then::Silence)));
    let mut socket = socket(&server);
    let mut said = [0; 7];
    socket.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"SSH-2.0");
    socket.write_all(b"hello").unwrap();
    eventually("it listens", || only(&server).sent == b"hello");
    assert_silent(&socket);
    drop(socket);
    eventually("it sees the end", || !only(&server).open);
}

/// Nothing has come, and the connection is open.
fn assert_silent(mut socket: &TcpStream) {
    socket.set_nonblocking(true).expect("a socket");
    assert_eq!(socket.read(&mut [0]).expect_err("silence").kind(), ErrorKind::WouldBlock);
}

#[test]
fn silence_and_an_end_can_come_at_each_point() {
    let at = |point: usize, answer: Answer| match point {
        0 => Script::new().on_connect(answer),
        1 => Script::new().on_login(answer),
        _ => Script::new().on_command(CommandKind::Query, answer),
    };
    for point in 0..3 {
        let talk = |server: &StandIn| {
            let limit = Duration::from_millis(300);
            Conn::new(options(server).read_timeout(Some(limit))).and_then(|mut conn| conn.query_drop("DO 1"))
        };
        let silent = start(at(point, Answer::Silence));
        let started = Instant::now();
        assert!(talk(&silent).is_err());
        assert!(started.elapsed() >= Duration::from_millis(300), "it waited at point {point}");
        let closing = start(at(point, Answer::Close));
        let started = Instant::now();
        assert!(talk(&closing).is_err());
        assert!(started.elapsed() < Duration::from_millis(300), "it saw the end at point {point}");
        for server in [&silent, &closing] {
            assert_eq!((only(server).login, only(server).commands.len()), (point > 0, usize::from(point > 1)));
        }
    }
}

#[test]
fn dropping_it_cuts_its_clients_at_once() {
    let server = start(Script::new());
    let mut conn = connect(&server).unwrap();
    let addr = server.addr();
    let started = Instant::now();
    drop(server);
    assert!(started.elapsed() < Duration::from_secs(4), "nothing to wait for");
    assert!(conn.ping().is_err());
    assert!(TcpStream::connect(addr).is_err(), "nobody listens");
}

#[test]
fn it_may_be_used_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let server = start(Script::new().on_connect(Answer::Close));
        assert_eq!(rest(&socket(&server)), b"");
    });
}
