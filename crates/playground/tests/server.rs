//! Real servers, of each kind this machine has.
//!
//! What must not outlive a process is tested from outside it: this program runs itself again, with a directory of its
//! own for temporary files, and looks at what is left.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{BufRead, BufReader, Lines, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, panic, process, thread};

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, SslOpts};
use tempfile::TempDir;
use tidb_connect_playground::{Error, Kind, Playground, Server};

/// The server that users get, and MariaDB or MySQL if that one is TiDB.
fn playgrounds() -> Vec<Playground> {
    let usual = Playground::find().unwrap();
    let dirs = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin";
    let other = Playground::find_with(|name| (name == "PATH").then(|| dirs.into())).ok();
    let other = other.filter(|other| other.kind() != usual.kind());
    [Some(usual), other].into_iter().flatten().collect()
}

fn connect(server: &Server, password: &str) -> mysql::Result<Conn> {
    Conn::new(
        OptsBuilder::new()
            .ip_or_hostname(Some(server.host()))
            .tcp_port(server.port())
            .user(Some("root"))
            .pass(Some(password))
            .db_name(Some("test"))
            .prefer_socket(false),
    )
}

/// Whether `kill -0` reaches `target`: a process, or a process group if negative. A zombie counts as gone: it waits
/// only for its parent.
fn is_alive(target: i64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{target}/stat")).unwrap_or_default();
    let zombie = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'));
    let target = target.to_string();
    let kill = Command::new("sh").args(["-c", "kill -s 0 -- $0", &target]).stderr(Stdio::null()).status().unwrap();
    kill.success() && !zombie
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn answers_to_root_without_a_password_only() {
    for playground in playgrounds() {
        let server = playground.start().unwrap();
        assert_eq!(server.kind(), playground.kind());

        let mut conn = connect(&server, "").unwrap();
        let version: String = conn.query_first("SELECT VERSION()").unwrap().unwrap();
        assert!(version.ends_with(server.version()), "{} is not the end of {version}", server.version());
        assert_eq!(version.contains("MariaDB"), server.kind() == Kind::MariaDb);
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").unwrap();
        conn.query_drop("CREATE USER u IDENTIFIED BY 'secret'").unwrap();
        conn.query_drop("GRANT ALL ON test.* TO u").unwrap();

        let refused = connect(&server, "wrong").unwrap_err();
        assert!(matches!(&refused, mysql::Error::MySqlError(error) if error.code == 1045), "{refused}");
        let nobody: Option<String> = conn.query_first("SELECT user FROM mysql.user WHERE user = ''").unwrap();
        assert_eq!(nobody, None);

        let expected = [
            ("TIDB_HOST", "127.0.0.1".to_owned()),
            ("TIDB_PORT", server.port().to_string()),
            ("TIDB_USER", "root".to_owned()),
            ("TIDB_PASSWORD", String::new()),
            ("TIDB_DB_NAME", "test".to_owned()),
            ("CA_PATH", String::new()),
        ];
        assert_eq!(server.env(), expected);
        server.stop().unwrap();
    }
}

#[test]
fn offers_tls_when_told_and_the_certificate_can_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let paths = [dir.path().join("certificate.pem"), dir.path().join("key.pem")];
    let renew = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&paths[0], made.cert.pem()).unwrap();
        fs::write(&paths[1], made.signing_key.serialize_pem()).unwrap();
    };
    let connect = |server: &Server| {
        let tls = SslOpts::default().with_root_cert_path(Some(paths[0].clone()));
        let options = OptsBuilder::new().ip_or_hostname(Some("localhost")).tcp_port(server.port()).user(Some("root"));
        Conn::new(options.prefer_socket(false).ssl_opts(tls))
    };
    for playground in playgrounds() {
        renew();
        let unasked = connect(&playground.start().unwrap());
        assert!(matches!(unasked, Err(mysql::Error::DriverError(mysql::DriverError::TlsNotSupported))), "{unasked:?}");
        let server = playground.with_tls(&paths[0], &paths[1]).start().unwrap();
        let mut conn = connect(&server).unwrap();
        renew();
        assert!(connect(&server).is_err(), "the certificate before the reload is still the old one");
        let reload = if server.kind() == Kind::MariaDb { "FLUSH SSL" } else { "ALTER INSTANCE RELOAD TLS" };
        conn.query_drop(reload).unwrap();
        connect(&server).unwrap();
    }
}

#[test]
fn a_certificate_that_cannot_be_used_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (absent, damaged) = (dir.path().join("absent.pem"), dir.path().join("damaged.pem"));
    fs::write(&damaged, "no certificate").unwrap();
    for playground in playgrounds() {
        let error = playground.clone().with_tls(&absent, &damaged).start().unwrap_err().to_string();
        assert!(error.contains("absent.pem"), "{error}");
        playground.with_tls(&damaged, &damaged).start().unwrap_err();
    }
}

#[test]
fn two_servers_share_nothing() {
    let playground = Playground::find().unwrap();
    let (one, two) = thread::scope(|scope| {
        let one = scope.spawn(|| playground.start().unwrap());
        let two = playground.start().unwrap();
        (one.join().unwrap(), two)
    });
    assert_ne!(one.port(), two.port());

    connect(&one, "").unwrap().query_drop("CREATE TABLE only_in_one (id INT PRIMARY KEY)").unwrap();
    let tables: Vec<String> = connect(&two, "").unwrap().query("SHOW TABLES").unwrap();
    assert!(tables.is_empty(), "{tables:?}");

    one.stop().unwrap();
    connect(&two, "").unwrap();
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    for playground in playgrounds() {
        let mut server = playground.with_durable_data().start().unwrap();
        connect(&server, "").unwrap().query_drop("CREATE TABLE numbers (n INT PRIMARY KEY)").unwrap();
        let (port, mut pid) = (server.port(), i64::from(server.pid()));
        for n in 0..3 {
            let insert = format!("INSERT INTO numbers VALUES ({n})");
            let mut conn = connect(&server, "").unwrap();
            conn.query_drop(insert).unwrap();
            server.kill_and_restart().unwrap();
            assert!(conn.query_drop("DO 1").is_err(), "its connections end with it");
            assert!(!is_alive(pid) && server.port() == port);
            pid = i64::from(server.pid());
            assert!(is_alive(pid));
            let kept: Vec<i32> = connect(&server, "").unwrap().query("SELECT n FROM numbers ORDER BY n").unwrap();
            assert_eq!(kept, (0..=n).collect::<Vec<_>>());
        }
        server.stop().unwrap();
        assert!(!is_alive(pid));
    }
}

#[test]
fn a_port_that_is_taken_for_a_moment_is_waited_for() {
    let mut server = Playground::find().unwrap().with_durable_data().start().unwrap();
    let port = server.port();
    let pid = i64::from(server.pid());
    let other = thread::spawn(move || {
        eventually("the server is killed", || !is_alive(pid));
        // It may have started again by now, which is as well.
        let taken = TcpListener::bind(("127.0.0.1", port));
        thread::sleep(Duration::from_secs(1));
        drop(taken);
    });
    server.kill_and_restart().unwrap();
    connect(&server, "").unwrap();
    other.join().unwrap();
}

#[test]
fn the_terminal_reaches_only_the_program() {
    let server = Playground::find().unwrap().start().unwrap();
    assert!(is_alive(-i64::from(server.pid())), "the server leads no process group");
}

/// A program that starts the server at `index` of [`playgrounds`], and then does as `scenario` says.
struct Program {
    child: Child,
    server: i64,
    /// Open to the end: the program panics if nobody reads what its test harness prints.
    _stdout: Lines<BufReader<ChildStdout>>,
    tmp: TempDir,
}

impl Program {
    fn run(index: usize, scenario: &str) -> Self {
        let tmp = tempfile::tempdir().unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "program", "--ignored", "--nocapture"])
            .env("TMPDIR", tmp.path())
            .env("SCENARIO", scenario)
            .env("SERVER_INDEX", index.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let server = stdout.find_map(|line| line.unwrap().strip_prefix("pid=")?.parse().ok()).unwrap();
        Self { child, server, _stdout: stdout, tmp }
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        assert!(Command::new("sh").args(["-c", "kill -s $0 -- $1", signal, &group]).status().unwrap().success());
    }

    fn assert_nothing_left(mut self) {
        self.child.wait().unwrap();
        eventually("the server is gone", || !is_alive(self.server));
        eventually("the directory is gone", || is_empty(self.tmp.path()));
    }
}

#[test]
#[ignore = "not a test, but the program that the others run"]
#[expect(clippy::print_stdout, reason = "it tells the test its server")]
fn program() {
    let Ok(scenario) = env::var("SCENARIO") else { return };
    let index: usize = env::var("SERVER_INDEX").unwrap().parse().unwrap();
    let server = playgrounds()[index].start().unwrap();
    let pid = i64::from(server.pid());
    let tmp = env::temp_dir();
    assert!(is_alive(pid) && !is_empty(&tmp));
    println!("\npid={pid}");
    let assert_gone = || assert!(!is_alive(pid) && is_empty(&tmp));
    match scenario.as_str() {
        "drop" => {
            drop(server);
            assert_gone();
        }
        "stop" => {
            server.stop().unwrap();
            assert_gone();
        }
        "panic" => {
            let caught = panic::catch_unwind(move || {
                let _server = server;
                panic!("as the scenario says");
            });
            assert!(caught.is_err());
            assert_gone();
        }
        "exit" => process::exit(0),
        "wait" => {
            let _ = std::io::stdin().read(&mut [0]);
        }
        other => panic!("no scenario {other}"),
    }
}

#[test]
fn nothing_is_left_when_a_server_goes() {
    for index in 0..playgrounds().len() {
        for scenario in ["drop", "stop", "panic"] {
            let mut program = Program::run(index, scenario);
            assert!(program.child.wait().unwrap().success(), "something was left after {scenario}");
        }
    }
}

#[test]
fn nothing_is_left_when_the_program_exits() {
    Program::run(0, "exit").assert_nothing_left();
}

#[test]
fn nothing_is_left_after_ctrl_c() {
    let program = Program::run(0, "wait");
    program.signal("INT");
    program.assert_nothing_left();
}

#[test]
fn nothing_is_left_after_sigkill() {
    for index in 0..playgrounds().len() {
        let program = Program::run(index, "wait");
        assert!(is_alive(program.server));
        program.signal("KILL");
        program.assert_nothing_left();
    }
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn start_script(path: &Path) -> Result<Server, Error> {
    Playground::find_with(|name| (name == "TIDB_SERVER").then(|| path.into())).unwrap().start()
}

/// The server users get, behind a script at `dir/bin` in which `$server` is the path of the real one.
fn wrapped(dir: &Path, text: &str) -> Playground {
    let real = Playground::find().unwrap();
    let path = real.path().canonicalize().unwrap();
    let (name, variable) = match real.kind() {
        Kind::TiDb => ("tidb-server", "TIDB_SERVER"),
        Kind::MariaDb | Kind::MySql => ("mariadbd", "PATH"),
    };
    script(&dir.join("bin").join(name), &format!("server='{}'\n{text}", path.display()));
    // MariaDB's system tables are looked for beside the program.
    symlink(path.ancestors().nth(2).unwrap().join("share"), dir.join("share")).unwrap();
    let value = if variable == "PATH" { dir.join("bin") } else { dir.join("bin").join(name) };
    Playground::find_with(|name| (name == variable).then(|| value.clone().into())).unwrap()
}

#[test]
fn a_server_that_ends_shows_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidb-server");
    script(&path, "i=100; while [ $i -lt 130 ]; do echo line $i; i=$((i + 1)); done; echo the cause >&2; exit 3");

    let error = start_script(&path).unwrap_err().to_string();
    assert!(error.contains("exit status: 3"), "{error}");
    assert!(error.contains("line 111") && error.ends_with("line 129\nthe cause"), "{error}");
    assert!(!error.contains("line 110"), "more than 20 lines: {error}");
}

#[test]
fn a_server_that_cannot_be_run_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidb-server");
    script(&path, "");
    fs::write(&path, "#!/no/such/interpreter\n").unwrap();
    let error = start_script(&path).unwrap_err().to_string();
    assert!(error.contains("ended before it answered") && error.contains("not found"), "{error}");
}

#[test]
fn a_taken_port_is_tried_again_with_another() {
    let dir = tempfile::tempdir().unwrap();
    let once = "case \"$*\" in *--bootstrap*) exec $server \"$@\" ;; esac
        echo \"$@\" >>$0.args
        [ $(wc -l <$0.args) -gt 1 ] || { echo 'bind: Address already in use'; exit 1; }
        exec $server \"$@\"";
    let playground = wrapped(dir.path(), once);
    let server = playground.start().unwrap();
    connect(&server, "").unwrap();
    let args = fs::read_to_string(playground.path().with_extension("args")).unwrap();
    assert_eq!(args.lines().count(), 2, "{args}");
    let last = args.lines().last().unwrap();
    assert!(last.contains(&server.port().to_string()), "{last} has not port {}", server.port());
}

#[test]
fn a_port_is_not_tried_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tidb-server");
    script(&path, "echo $* >>$0.args; echo 'listen tcp: bind: address already in use'; exit 1");
    let error = start_script(&path).unwrap_err().to_string();
    assert!(error.contains("address already in use"), "{error}");
    assert_eq!(fs::read_to_string(path.with_extension("args")).unwrap().lines().count(), 5);
}

#[test]
fn a_server_below_a_wrapper_goes_too() {
    let dir = tempfile::tempdir().unwrap();
    let server = wrapped(dir.path(), "$server \"$@\"; exit $?").start().unwrap();
    let address = (server.host().to_owned(), server.port());
    TcpStream::connect(&address).unwrap();
    server.stop().unwrap();
    eventually("the real server is gone", || TcpStream::connect(&address).is_err());
}
