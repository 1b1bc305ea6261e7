//! `doctor`: the answer in the first line, the way to it below, and the same first sentence from `run`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener},
    thread,
};

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use support::{Cli, DRIVERS, Database, Ended};
use tempfile::TempDir;
use tidb_connect_testkit::authority::{Authority, Leaf, NAME};
use tidb_connect_wire::{Answer, CommandKind, Proxy, Script, StandIn, Then, refusals};

const PASSWORD: &str = "c4n4ry-passw0rd";

/// The stages, in their order.
const STAGES: [&str; 12] = [
    "settings",
    "name",
    "tcp",
    "greeting",
    "tls",
    "login",
    "database",
    "privileges",
    "timeouts",
    "path",
    "clock",
    "round_trip",
];

/// What `doctor --json` said.
struct Report(Value);

impl Report {
    fn of(prepare: impl Fn(Cli) -> Cli, flags: &[&str]) -> Self {
        Self::read(&prepare(doctor(&[flags, &["--json"]].concat())).end())
    }

    fn read(ended: &Ended) -> Self {
        assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(PASSWORD), "{}", ended.stdout);
        let report: Value = serde_json::from_str(&ended.stdout).expect(&ended.stdout);
        assert_eq!(report["exit_code"], i64::from(ended.code.unwrap()), "{report:#}");
        Self(report)
    }

    fn summary(&self) -> &str {
        self.0["summary"].as_str().unwrap()
    }

    fn exit_code(&self) -> i64 {
        self.0["exit_code"].as_i64().unwrap()
    }

    fn checks(&self) -> &[Value] {
        self.0["checks"].as_array().unwrap()
    }

    /// The stages with this verdict.
    fn stages(&self, verdict: &str) -> Vec<&str> {
        let checks = self.checks().iter().filter(|check| check["verdict"] == verdict);
        checks.map(|check| check["stage"].as_str().unwrap()).collect()
    }

    /// All that is said of a stage.
    #[track_caller]
    fn said_at(&self, stage: &str) -> String {
        let said: Vec<_> = self.checks().iter().filter(|check| check["stage"] == stage).map(Value::to_string).collect();
        assert!(!said.is_empty(), "nothing at {stage}: {:#}", self.0);
        said.join("\n")
    }
}

fn doctor(flags: &[&str]) -> Cli {
    Cli::new(["doctor"].into_iter().chain(flags.iter().copied()))
}

/// The report of something that goes wrong at `stage`: the text has the sentence at its top, in 80 columns and without
/// colours, and `run` says the same through every driver. All at once, because some of them wait.
#[track_caller]
fn crossed(prepare: impl Fn(Cli) -> Cli, stage: &str, exit_code: i64, sentence: &str) -> Report {
    let [json, text] = [&["--json"][..], &[]].map(|flags| prepare(doctor(flags)).spawn());
    let running = DRIVERS.map(|driver| (driver, prepare(Cli::run(driver)).spawn()));

    let report = Report::read(&json.end());
    assert_eq!(report.summary(), sentence, "{:#}", report.0);
    assert_eq!((report.stages("failed"), report.exit_code()), (vec![stage], exit_code), "{:#}", report.0);
    assert_eq!(report.checks().last().unwrap()["stage"], stage, "nothing comes after a cross");

    let text = text.end();
    assert_eq!(i64::from(text.code.unwrap()), exit_code);
    let (answer, way) = text.stdout.split_once("\n\n").expect(&text.stdout);
    assert_eq!(answer.replace('\n', " "), sentence);
    assert_eq!(way.matches('✗').count(), 1, "{way}");
    for line in text.stdout.lines() {
        assert!(line.chars().count() <= 80 && !line.contains('\x1b'), "{line}");
    }

    for (driver, running) in running {
        let ended = running.end();
        assert_eq!(ended.error(), format!("error: {sentence}"), "{driver}: {}", ended.stderr);
        let settings = exit_code == 2;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(if settings { 2 } else { 3 }), ""), "{}", ended.stderr);
        assert_eq!(ended.stderr.contains("`tidb-connect doctor`"), !settings, "{}", ended.stderr);
        assert!(settings || ended.stderr.contains("\n  caused by: "), "{}", ended.stderr);
        assert!(!ended.stderr.contains(PASSWORD), "{}", ended.stderr);
        assert!(!ended.stderr.contains("starting"), "another server took its place: {}", ended.stderr);
    }
    report
}

fn stand_in(script: Script) -> StandIn {
    StandIn::start(script).unwrap()
}

fn to(addr: SocketAddr) -> impl Fn(Cli) -> Cli {
    move |cli| cli.server(addr).env("TIDB_USER", "teller").env("TIDB_PASSWORD", PASSWORD)
}

/// What a refused password is followed by where it was sent without TLS.
const TLS_IS_OFF: &str = "; TLS is off, and a server or user that demands it refuses in the same way, as does TiDB with \
                          caching_sha2_password: set TIDB_ENABLE_SSL=true";

#[test]
fn what_works_is_gone_through_stage_by_stage() {
    let database = Database::create();
    for driver in DRIVERS {
        let report = Report::of(|cli| cli.database(&database), &["--driver", driver]);
        assert_eq!(report.exit_code(), 0, "{:#}", report.0);
        let mut stages: Vec<_> = report.checks().iter().map(|check| check["stage"].as_str().unwrap()).collect();
        stages.dedup();
        assert_eq!(stages, STAGES);
        assert!(report.summary().contains(" can be used: "), "{}", report.summary());
        assert_eq!(report.0["driver"], driver);
        assert!(report.said_at("settings").contains("TIDB_HOST in the environment"));
        assert!(report.said_at("login").contains(driver));
    }
}

#[test]
fn another_product_than_tidb_is_a_warning() {
    let mut database = Database::create();
    let is_tidb = database.sql("SELECT VERSION()")[0].contains("TiDB");
    let report = Report::of(|cli| cli.database(&database), &[]);
    assert_eq!(report.stages("warning"), if is_tidb { vec![] } else { vec!["greeting"] }, "{:#}", report.0);
    for (version, name) in
        [("5.5.5-10.11.14-MariaDB", "MariaDB"), ("8.4.2", "MySQL"), ("8.0.30 (ProxySQL)", "ProxySQL")]
    {
        let server = stand_in(Script::new().with_version(version));
        let report = Report::of(to(server.addr()), &["--for", "connect"]);
        assert!(report.stages("warning").contains(&"greeting"), "{:#}", report.0);
        assert!(report.said_at("greeting").contains(&format!("this is {name}, not TiDB")), "{:#}", report.0);
    }
}

#[test]
fn an_unknown_database_is_named_with_those_that_exist() {
    let database = Database::create();
    let addr = database.server.addr();
    let sentence = format!(
        "the database 'no_such_database' does not exist on {addr}, or the user may not use it: check TIDB_DB_NAME"
    );
    let elsewhere = |cli: Cli| cli.database(&database).env("TIDB_DB_NAME", "no_such_database");
    let report = crossed(elsewhere, "database", 15, &sentence);
    assert!(report.said_at("database").contains(&database.name), "{:#}", report.0);
    assert!(report.said_at("login").contains("is let in"));
}

#[test]
fn a_wrong_password_is_named_and_not_shown() {
    let mut database = Database::create();
    let user = database.create_user("another");
    let addr = database.server.addr();
    let sentence =
        format!("{addr} refused user '{user}' or the password: check TIDB_USER and TIDB_PASSWORD{TLS_IS_OFF}");
    let prepare = |cli: Cli| cli.database(&database).env("TIDB_USER", &user).env("TIDB_PASSWORD", PASSWORD);
    let report = crossed(prepare, "login", 14, &sentence);
    assert!(report.said_at("login").contains("1045"), "{:#}", report.0);
    let report = Report::of(|cli| prepare(cli).env("TIDB_PASSWORD", ""), &[]);
    assert!(report.said_at("login").contains("no password is set"), "{:#}", report.0);
}

#[test]
fn a_missing_privilege_is_named_with_its_grant() {
    let mut database = Database::create();
    let user = database.create_user("");
    let report = |database: &Database, flags: &[&str]| {
        Report::of(|cli| cli.database(database).env("TIDB_USER", &user).env("TIDB_PASSWORD", ""), flags)
    };
    assert_eq!(report(&database, &[]).exit_code(), 0);

    let name = database.name.clone();
    database.sql(&format!("REVOKE ALL PRIVILEGES ON {name}.* FROM {user}"));
    database.sql(&format!("GRANT SELECT, DROP ON {name}.* TO {user}"));
    let refused = report(&database, &[]);
    assert_eq!((refused.stages("failed"), refused.exit_code()), (vec!["privileges"], 16), "{:#}", refused.0);
    let grant = format!("GRANT CREATE, INSERT, UPDATE, DELETE ON `{name}`.* TO '{user}'@'%'");
    assert!(refused.summary().ends_with(&grant), "{}", refused.summary());

    assert_eq!(report(&database, &["--for", "connect"]).exit_code(), 0);
}

#[test]
fn a_table_that_run_would_leave_alone_is_a_warning() {
    let mut database = Database::create();
    database.sql("CREATE TABLE players (mine INT)");
    let report = Report::of(|cli| cli.database(&database), &[]);
    assert_eq!(report.exit_code(), 0);
    assert!(report.stages("warning").contains(&"database"), "{:#}", report.0);
}

#[test]
fn a_proxy_in_between_is_a_warning() {
    let database = Database::create();
    let proxy = Proxy::start(database.server.addr()).unwrap();
    let report = Report::of(|cli| cli.database(&database).server(proxy.addr()), &[]);
    assert_eq!(report.exit_code(), 0);
    assert!(report.stages("warning").contains(&"path"), "{:#}", report.0);
    let report = Report::of(|cli| cli.database(&database), &[]);
    assert!(!report.stages("warning").contains(&"path"), "{:#}", report.0);
}

#[test]
fn a_wrong_setting_is_named() {
    let sentence = "TIDB_PORT in the environment is 'abc': it must be a number from 1 to 65535, usually 4000";
    crossed(|cli| cli.env("TIDB_PORT", "abc"), "settings", 2, sentence);
    let sentence = "line 1 of .env sets TIDB_PASSWORD, and has a space in its value: put the value in single quotes";
    crossed(|cli| cli.dotenv(&format!("TIDB_PASSWORD={PASSWORD} x\n")), "settings", 2, sentence);
}

#[test]
fn a_host_without_an_address_and_a_port_without_a_server_are_named() {
    let sentence = "the host name nowhere.invalid has no address: check TIDB_HOST";
    crossed(|cli| cli.env("TIDB_HOST", "nowhere.invalid"), "name", 10, sentence);
    let addr = support::nobody();
    let sentence =
        format!("nobody listens on {addr}: start the server, or set TIDB_HOST and TIDB_PORT to where it runs");
    crossed(to(addr), "tcp", 11, &sentence);
}

/// As a firewall does, and as TiDB Cloud Dedicated does to an address that is not on its access list.
#[test]
fn a_connection_that_nobody_takes_names_the_access_list() {
    let full = Full::start();
    let addr = full.addr;
    let sentence = format!(
        "{addr} did not answer within 20 s: add this machine's address to the cluster's IP access list, and check \
         TIDB_PORT"
    );
    crossed(|cli| to(addr)(cli).env("TIDB_DEPLOYMENT", "dedicated"), "tcp", 11, &sentence);
}

#[test]
fn what_is_no_mysql_server_is_called_by_its_name() {
    let known: &[(&[u8], &str)] = &[
        (b"SSH-2.0-OpenSSH_9.2\r\n", "an SSH server"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server (HTTP)"),
        (b"HTTP/1.0 200 OK\r\n\r\n{\"version\":\"8.0.11-TiDB-v8.5.3\"}", "TiDB's status port (HTTP)"),
        (b"\x05\0\0\0\x0b\x08\x05\x1a\0", "MySQL's X protocol"),
        (b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", "a gRPC server, such as TiKV"),
    ];
    for (greeting, name) in known {
        let server = stand_in(Script::new().on_connect(Answer::Bytes((*greeting).into(), Then::Close)));
        let addr = server.addr();
        let sentence =
            format!("{addr} is {name}, not a MySQL server: set TIDB_PORT to the server's MySQL port, usually 4000");
        crossed(to(addr), "greeting", 12, &sentence);
    }
}

#[test]
fn a_server_that_says_nothing_is_told_from_one_that_is_not_there() {
    let server = stand_in(Script::new().on_connect(Answer::Silence));
    let addr = server.addr();
    let sentence = format!(
        "{addr} accepts the connection and then says nothing, where a MySQL server would greet: check TIDB_PORT, and \
         whether a proxy stands there whose server is down"
    );
    crossed(to(addr), "greeting", 12, &sentence);
}

/// Both wait for their client to speak first.
#[test]
fn a_web_server_and_postgresql_are_asked_what_they_are() {
    let status = b"HTTP/1.0 200 OK\r\n\r\n{\"connections\":0,\"version\":\"8.0.11-TiDB-v8.5.3\"}";
    for (server, name) in [
        (waits_for(b"GET /status ", status), "TiDB's status port (HTTP)"),
        (waits_for(b"\0\0\0\x08\x04\xd2\x16\x2f", b"N"), "a PostgreSQL server"),
    ] {
        let report = Report::of(to(server), &[]);
        assert_eq!((report.stages("failed"), report.exit_code()), (vec!["greeting"], 12));
        assert!(
            report.summary().starts_with(&format!("{server} is {name}, not a MySQL server: ")),
            "{}",
            report.summary()
        );
    }
}

#[test]
fn a_server_that_breaks_off_is_told_from_a_wrong_port() {
    let server = stand_in(Script::new().on_connect(Answer::Close));
    let addr = server.addr();
    let sentence = format!(
        "{addr} accepts the connection and closes it without a word: check TIDB_PORT, and whether a proxy or firewall \
         stands there that lets nobody through"
    );
    crossed(to(addr), "greeting", 12, &sentence);
    let server = stand_in(Script::new().on_login(Answer::Close));
    let addr = server.addr();
    let sentence = format!(
        "{addr} greets like a MySQL server and then breaks off the login: look at its log, and at that of a proxy in \
         between"
    );
    crossed(to(addr), "login", 14, &sentence);
}

#[test]
fn a_cluster_that_sleeps_is_told_to_be_waking() {
    let server = stand_in(Script::new().on_login(Answer::Silence));
    let addr = server.addr();
    let starter = |cli: Cli| {
        to(addr)(cli).env("TIDB_DEPLOYMENT", "starter").env("TIDB_ENABLE_SSL", "false").env("TIDB_USER", "3pT.root")
    };
    let sentence = format!(
        "{addr} greets like a MySQL server, but did not let anybody in within 20 s: a cluster that sleeps needs some \
         seconds to wake, so try again"
    );
    crossed(starter, "login", 14, &sentence);
}

/// What only a cloud or a busy server says, as the answer to a login.
#[test]
fn a_refusal_is_told_in_the_words_of_the_settings() {
    let known = [
        (refusals::INSECURE_AT_GATEWAY, "tls", 13, "accepts only encrypted connections: set TIDB_ENABLE_SSL=true"),
        (refusals::INSECURE, "tls", 13, "accepts only encrypted connections: set TIDB_ENABLE_SSL=true"),
        (refusals::MISSING_PREFIX, "login", 14, "needs your cluster's prefix before the user name 'teller'"),
        (refusals::DENIED_AT_GATEWAY, "login", 14, "that the prefix in TIDB_USER is that of this very cluster"),
        (refusals::DENIED, "login", 14, "refused user 'teller' or the password: check TIDB_USER and TIDB_PASSWORD"),
        (refusals::QUOTA_EXHAUSTED, "login", 14, "until its usage quota is raised or renewed"),
        (refusals::CONNECTION_LIMIT, "login", 14, "accepts no further connection: close others"),
        (refusals::TOO_MANY_CONNECTIONS, "login", 14, "accepts no further connection: close others"),
        (refusals::SHUTTING_DOWN, "login", 14, "is shutting down: connect to another node, or wait"),
        (refusals::HOST_BLOCKED, "login", 14, "has blocked this machine after too many broken logins"),
        (refusals::HOST_NOT_ALLOWED, "login", 14, "lets nobody in from this machine's address"),
        (refusals::ACCOUNT_LOCKED, "login", 14, "has locked the account of user 'teller'"),
        (refusals::DATABASE_DENIED, "database", 15, "or the user may not use it: check TIDB_DB_NAME"),
    ];
    for (refusal, stage, exit_code, part) in known {
        let server = stand_in(Script::new().on_login(Answer::Error(refusal)));
        let sentence = Report::of(to(server.addr()), &[]).summary().to_owned();
        assert!(sentence.contains(part), "{refusal:?}: {sentence}");
        crossed(to(server.addr()), stage, exit_code, &sentence);
    }
}

/// TiDB refuses in the same words an account that demands TLS, or has `caching_sha2_password`, and comes without.
#[test]
fn a_refused_login_without_the_tls_that_is_offered_says_so() {
    let authority = Authority::new().unwrap();
    let tls = authority.server_config(&Leaf::VALID).unwrap();
    let server = stand_in(Script::new().with_tls(tls).on_login(Answer::Error(refusals::DENIED)));
    let addr = server.addr();
    let sentence =
        format!("{addr} refused user 'teller' or the password: check TIDB_USER and TIDB_PASSWORD{TLS_IS_OFF}");
    crossed(to(addr), "login", 14, &sentence);
}

#[test]
fn a_login_method_that_no_driver_uses_is_no_broken_login() {
    let server = stand_in(Script::new().on_login(Answer::AuthSwitch("dialog".into())));
    let addr = server.addr();
    let sentence = format!(
        "{addr} wants user 'teller' to log in by a method that the driver does not use: have the account changed to \
         mysql_native_password or caching_sha2_password"
    );
    crossed(to(addr), "login", 14, &sentence);
}

#[test]
fn a_server_that_is_full_may_say_so_instead_of_a_greeting() {
    let server = stand_in(Script::new().on_connect(Answer::Error(refusals::TOO_MANY_CONNECTIONS)));
    let addr = server.addr();
    let sentence = format!("{addr} accepts no further connection: close others, or raise the server's limit");
    crossed(to(addr), "greeting", 12, &sentence);
}

#[test]
fn a_node_that_drains_is_found_by_its_refusal_of_a_ping() {
    let server = stand_in(Script::new().on_command(CommandKind::Ping, Answer::Error(refusals::SHUTTING_DOWN)));
    for driver in DRIVERS {
        let report = Report::of(to(server.addr()), &["--for", "connect", "--driver", driver]);
        assert_eq!((report.stages("failed"), report.exit_code()), (vec!["round_trip"], 17), "{:#}", report.0);
        assert!(report.summary().contains("is shutting down: connect to another node"), "{}", report.summary());
    }
}

#[test]
fn a_starter_user_without_its_prefix_is_doubted_before_anything_is_tried() {
    let starter = |cli: Cli| cli.server(support::nobody()).env("TIDB_DEPLOYMENT", "starter");
    let report = Report::of(|cli| starter(cli).env("TIDB_USER", "root"), &[]);
    assert_eq!(report.stages("warning"), ["settings"]);
    assert!(report.said_at("settings").contains("<prefix>.root"), "{:#}", report.0);
    let report = Report::of(|cli| starter(cli).env("TIDB_USER", "3pT.root"), &[]);
    assert!(report.stages("warning").is_empty(), "{:#}", report.0);
}

/// A server with a certificate, and the authority that has signed it.
struct Secure {
    server: StandIn,
    files: TempDir,
}

impl Secure {
    fn start(leaf: &Leaf) -> Self {
        let (authority, files) = (Authority::new().unwrap(), tempfile::tempdir().unwrap());
        authority.write_ca(files.path()).unwrap();
        let tls = authority.server_config(leaf).unwrap();
        Self { server: stand_in(Script::new().with_tls(tls)), files }
    }

    /// By name, trusting its authority.
    fn trusted(&self) -> impl Fn(Cli) -> Cli + '_ {
        let ca = self.files.path().join("ca.pem");
        move |cli| self.untrusted()(cli).env("CA_PATH", ca.to_str().unwrap())
    }

    fn untrusted(&self) -> impl Fn(Cli) -> Cli + '_ {
        move |cli| to(self.server.addr())(cli).env("TIDB_HOST", "localhost").env("TIDB_ENABLE_SSL", "true")
    }

    fn at(&self) -> String {
        format!("localhost:{}", self.server.addr().port())
    }
}

#[test]
fn tls_is_described_by_version_issuer_names_and_end() {
    let secure = Secure::start(&Leaf::VALID);
    let report = Report::of(secure.trusted(), &["--for", "connect"]);
    assert_eq!(report.exit_code(), 0, "{:#}", report.0);
    let said = report.said_at("tls");
    for part in ["TLS 1.3", NAME, "localhost, 127.0.0.1", "2100-01-01"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_certificate_of_an_unknown_authority_names_the_ca_setting() {
    let (secure, other) = (Secure::start(&Leaf::VALID), Secure::start(&Leaf::VALID));
    let signed = format!("the certificate of {} is signed by an authority that is not trusted: ", secure.at());
    crossed(secure.untrusted(), "tls", 13, &format!("{signed}set CA_PATH to the server's CA certificate"));
    let ca = other.files.path().join("ca.pem");
    let wrong = |cli: Cli| secure.untrusted()(cli).env("CA_PATH", ca.to_str().unwrap());
    crossed(wrong, "tls", 13, &format!("{signed}CA_PATH must be the CA of this very cluster"));
    let dedicated = |cli: Cli| secure.untrusted()(cli).env("TIDB_DEPLOYMENT", "dedicated");
    let cure = "TiDB Cloud Dedicated has its own CA: download it in the Connect dialog and set CA_PATH to it";
    let report = crossed(dedicated, "tls", 13, &format!("{signed}{cure}"));
    assert!(report.said_at("tls").contains(&format!("issued by {NAME}")), "{:#}", report.0);
}

#[test]
fn a_certificate_for_another_host_is_told_with_the_names_that_it_has() {
    let secure = Secure::start(&Leaf { names: &["db.example.org"], ..Leaf::VALID });
    let at = secure.at();
    let sentence = format!("the certificate of {at} is not for 'localhost': set TIDB_HOST to a name that it holds");
    let report = crossed(secure.trusted(), "tls", 13, &sentence);
    assert!(report.said_at("tls").contains("the certificate is for db.example.org"), "{:#}", report.0);
}

#[test]
fn a_certificate_out_of_its_time_is_told_with_its_dates_and_the_clock() {
    for (years, state) in [
        ((2020, 2021), "has expired: renew it, or set this machine's clock if it is wrong"),
        ((2099, 2100), "is not valid yet: set this machine's clock, which seems to be behind"),
    ] {
        let secure = Secure::start(&Leaf { years, ..Leaf::VALID });
        let sentence = format!("the certificate of {} {state}", secure.at());
        let report = crossed(secure.trusted(), "tls", 13, &sentence);
        let said = report.said_at("tls");
        let dates = format!("valid from {}-01-01 to {}-01-01", years.0, years.1);
        assert!(said.contains(&dates) && said.contains("this machine's clock says 20"), "{said}");
    }
}

#[test]
fn tls_that_is_not_offered_is_named() {
    let server = stand_in(Script::new());
    let addr = server.addr();
    let sentence =
        format!("{addr} offers no TLS: enable it there, or set TIDB_ENABLE_SSL=false to send everything in the clear");
    crossed(|cli| to(addr)(cli).env("TIDB_ENABLE_SSL", "true"), "tls", 13, &sentence);
}

#[test]
fn a_driver_can_be_asked_what_it_makes_of_it() {
    let server = stand_in(Script::new().on_connect(Answer::Close));
    for driver in DRIVERS {
        let report = Report::of(to(server.addr()), &["--driver", driver]);
        assert!(report.said_at("greeting").contains(&format!("{driver} says: ")), "{:#}", report.0);
    }
    let ended = Cli::new(["doctor", "--driver", "memory"]).server(server.addr()).end();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

/// Without a terminal there are none: each cross is checked for that.
#[test]
fn colours_are_for_those_who_want_them() {
    let server = stand_in(Script::new());
    let forced = to(server.addr())(doctor(&[])).env("CLICOLOR_FORCE", "1").end();
    assert!(forced.stdout.contains("\x1b[32m✓\x1b[0m"), "{}", forced.stdout);
}

#[test]
fn ctrl_c_ends_it_at_once() {
    let server = stand_in(Script::new().on_connect(Answer::Silence));
    let running = to(server.addr())(doctor(&[])).spawn();
    support::eventually("the doctor connects", || !server.visits().is_empty());
    running.signal("INT", "");
    let ended = running.end_within(std::time::Duration::from_secs(10));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""), "{}", ended.stderr);
}

/// Answers who asks like this, and listens in silence to everybody else.
fn waits_for(question: &'static [u8], answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            thread::spawn(move || {
                let (mut client, mut said) = (client.unwrap(), vec![0; question.len()]);
                if client.read_exact(&mut said).is_ok() && said == question {
                    client.write_all(answer).unwrap();
                    client.shutdown(Shutdown::Write).unwrap();
                }
                // Until the client has gone.
                while let Ok(1..) = client.read(&mut [0; 1 << 10]) {}
            });
        }
    });
    addr
}

/// A port that takes no connection and refuses none: its queue is full.
struct Full {
    addr: SocketAddr,
    _listener: Socket,
    _waiting: Vec<Socket>,
}

impl Full {
    fn start() -> Self {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = socket();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        let waiting = Vec::from_iter((0..8).map(|_| {
            let client = socket();
            client.set_nonblocking(true).unwrap();
            // It is under way, and stays that for those that find the queue full.
            let _ = client.connect(&addr);
            client
        }));
        Self { addr: addr.as_socket().unwrap(), _listener: listener, _waiting: waiting }
    }
}
