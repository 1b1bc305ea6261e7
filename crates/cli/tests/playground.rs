//! `playground`: a server for as long as it is needed, and `run` with one of its own.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{ChildStdout, Command, ExitCode},
    thread,
    time::Duration,
};

use libtest_mimic::{Arguments, Completion, Trial};
use support::{Cli, Ended, Running, eventually};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidb-connect");

fn playground(script: &str) -> Cli {
    Cli::new(["playground", "--", "/bin/sh", "-c", script])
}

/// Where a TiDB of the machine's owner listens, as `tiup playground` starts it.
const TIDB_PORT: u16 = 4000;

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Takes the port as a TiDB would, for as long as this process lives.
fn be_a_neighbour() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, TIDB_PORT)).unwrap();
    let greeting =
        b"\x0a8.0.11-TiDB-v8.5.3\0\x01\0\0\0AAAAAAAA\0\x01\x82\x2d\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0AAAAAAAAAAAA\0\
        mysql_native_password\0";
    let packet = [&(greeting.len() as u32).to_le_bytes()[..], greeting].concat();
    thread::spawn(move || {
        for client in listener.incoming() {
            let _ = client.unwrap().write_all(&packet);
        }
    });
}

macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        fn tests() -> Vec<Trial> {
            vec![$(Trial::test(stringify!($name), || { $name(); Ok(()) })),+]
        }
    };
}

tests! {
    a_command_gets_the_server_and_no_settings_of_another,
    a_run_inside_is_the_reference_run,
    a_server_that_is_not_tidb_is_called_so,
    a_command_that_a_signal_ends_gives_the_code_that_a_shell_gives,
    a_command_that_cannot_be_run_is_named,
    without_a_command_it_prints_dotenv_lines_and_runs_until_ctrl_c,
    without_a_reader_it_does_not_stay,
    sigterm_is_passed_on_and_ends_even_a_command_that_ignores_it,
    ctrl_c_is_for_the_command_to_judge,
    ctrl_c_does_not_wait_for_a_server_that_only_starts,
    a_run_without_settings_announces_where_it_goes,
}

/// The argument before which the program is `unshare --net`: the process then prepares that network and runs all tests there.
const IN_A_NETWORK: &str = "--in-a-network-of-its-own";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let [_, flag, neighbour] = arguments.as_slice()
        && flag == IN_A_NETWORK
    {
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        if neighbour == "with" {
            be_a_neighbour();
        }
        assert_eq!(listens(TIDB_PORT), neighbour == "with");
        return libtest_mimic::run(&Arguments::default(), tests()).exit_code();
    }
    // What the tests do must not depend on whether somebody's TiDB listens there.
    let neighbours = ["with", "without"].map(|neighbour| {
        Trial::ignorable_test(format!("all_of_these_{neighbour}_a_tidb_on_port_4000"), move || {
            let network = Command::new("unshare").args(["--net", "ip", "link", "set", "lo", "up"]).output();
            if !network.is_ok_and(|output| output.status.success()) {
                return Ok(Completion::ignored_with("a network of its own needs root on Linux, `unshare` and `ip`"));
            }
            let this = env::current_exe()?;
            let inside = Command::new("unshare").arg("--net").arg(this).args([IN_A_NETWORK, neighbour]).output()?;
            let said = String::from_utf8_lossy(&inside.stdout).into_owned();
            if inside.status.success() { Ok(Completion::Completed) } else { Err(said.into()) }
        })
    });
    libtest_mimic::run(&Arguments::from_args(), tests().into_iter().chain(neighbours).collect()).exit_code()
}

/// A zombie counts as gone: it waits only for its parent.
fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let reached = Command::new("/bin/sh").args(["-c", "kill -s 0 -- $0", pid]).output().unwrap().status.success();
    reached && !stat.contains(") Z ")
}

/// The port in the `TIDB_PORT=…` line of an environment.
fn port(lines: &str) -> u16 {
    let port = lines.lines().find_map(|line| line.strip_prefix("TIDB_PORT="));
    port.unwrap().parse().unwrap()
}

fn left_nothing(ended: &Ended) {
    assert!(!listens(port(&ended.stdout)), "the server is still there");
    ended.left_no_files();
}

fn a_command_gets_the_server_and_no_settings_of_another() {
    let ended = playground("env; exit 7")
        .env("DATABASE_URL", "mysql://ann:secret@db.example.org/shop")
        .env("TIDB_ENABLE_SSL", "true")
        .env("KEPT", "yes")
        .end();
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    let has = |line: &str| ended.stdout.lines().any(|other| other == line);
    for line in ["TIDB_HOST=127.0.0.1", "TIDB_USER=root", "TIDB_PASSWORD=", "TIDB_DB_NAME=test", "KEPT=yes"] {
        assert!(has(line), "{line} is not in\n{}", ended.stdout);
    }
    for absent in ["DATABASE_URL", "TIDB_ENABLE_SSL"] {
        assert!(!ended.stdout.contains(absent), "{}", ended.stdout);
    }
    assert!(ended.stderr.contains(&format!(" answers on 127.0.0.1:{}", port(&ended.stdout))), "{}", ended.stderr);
    left_nothing(&ended);
}

fn a_run_inside_is_the_reference_run() {
    let ended = Cli::new(["playground", "--", PROGRAM, "run"]).env("TIDB_HOST", "nohost.invalid").end();
    ended.succeeded();
    ended.left_no_files();
}

fn a_server_that_is_not_tidb_is_called_so() {
    let ended = playground("env").end();
    let is_tidb = ended.stderr.contains("starting TiDB ");
    assert_eq!(ended.stderr.contains("not TiDB"), !is_tidb, "{}", ended.stderr);
}

fn a_command_that_a_signal_ends_gives_the_code_that_a_shell_gives() {
    let ended = playground("env; kill -s KILL $$").end();
    assert_eq!(ended.code, Some(128 + 9), "{}", ended.stderr);
    left_nothing(&ended);
}

fn a_command_that_cannot_be_run_is_named() {
    let ended = Cli::new(["playground", "--", "no-such-command"]).end();
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.error(), "error: the command no-such-command cannot be run: check its name");
    assert!(ended.stderr.contains("\n  caused by: "), "{}", ended.stderr);
    ended.left_no_files();
}

fn without_a_command_it_prints_dotenv_lines_and_runs_until_ctrl_c() {
    let mut running = Cli::new(["playground"]).spawn();
    let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
    let mut lines = String::new();
    while !lines.contains("CA_PATH=") {
        assert_ne!(stdout.read_line(&mut lines).unwrap(), 0, "{lines}");
    }
    Cli::run("sqlx").dotenv(&lines).end().succeeded();
    running.signal("INT", "");
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!listens(port(&lines)));
    ended.left_no_files();
}

fn without_a_reader_it_does_not_stay() {
    let mut running = Cli::new(["playground"]).spawn();
    drop(running.child.stdout.take());
    let ended = running.end();
    assert_eq!((ended.code, ended.error()), (Some(141), ""));
    ended.left_no_files();
}

/// A playground in a process group of its own, as a shell starts it, with the first line that its command prints.
fn started(script: &str) -> (Running, BufReader<ChildStdout>, String) {
    let mut cli = playground(script);
    cli.command.process_group(0);
    let mut running = cli.spawn();
    let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    (running, stdout, line.trim().to_owned())
}

fn sigterm_is_passed_on_and_ends_even_a_command_that_ignores_it() {
    let polite = "trap 'echo told; kill $!; exit' TERM; sleep 600 >/dev/null 2>&1 & echo $$; wait";
    let deaf = "trap '' TERM; echo $$; exec sleep 600";
    let started = [(polite, "told\n"), (deaf, "")].map(|(script, says)| (started(script), says));
    for ((running, ..), _) in &started {
        running.signal("TERM", "");
    }
    for ((running, mut stdout, pid), says) in started {
        let ended = running.end();
        assert_eq!((ended.code, ended.error()), (Some(130), "error: interrupted"), "{}", ended.stderr);
        assert!(!alive(&pid), "the command {pid} still runs");
        let mut said = String::new();
        stdout.read_to_string(&mut said).unwrap();
        assert_eq!(said, says);
        ended.left_no_files();
    }
}

fn ctrl_c_is_for_the_command_to_judge() {
    let (running, mut stdout, pid) = started(
        "trap 'echo noted' INT; trap 'kill $!; exit 5' USR1; sleep 600 >/dev/null 2>&1 & echo $$; while :; do wait; done",
    );
    running.signal("INT", "-");
    let mut said = String::new();
    stdout.read_line(&mut said).unwrap();
    assert_eq!(said, "noted\n");
    assert!(Command::new("/bin/sh").args(["-c", "kill -s USR1 $0", &pid]).status().unwrap().success());
    let ended = running.end();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    ended.left_no_files();
}

fn ctrl_c_does_not_wait_for_a_server_that_only_starts() {
    let dir = tempfile::tempdir().unwrap();
    let (server, pid_file) = (dir.path().join("tidb-server"), dir.path().join("pid"));
    fs::write(&server, format!("#!/bin/sh\necho $$ >'{}'\nexec sleep 600\n", pid_file.display())).unwrap();
    fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).unwrap();
    // Where a TiDB listens, `run` uses it and starts none.
    let commands = if listens(TIDB_PORT) { vec!["playground"] } else { vec!["playground", "run"] };
    for command in commands {
        let running = Cli::new([command]).env("TIDB_SERVER", server.to_str().unwrap()).spawn();
        let pid = || fs::read_to_string(&pid_file).unwrap_or_default().trim().to_owned();
        eventually("the server starts", || !pid().is_empty());
        running.signal("INT", "");
        // Half of the time that a server may take to start.
        let ended = running.end_within(Duration::from_secs(30));
        assert_eq!((ended.code, ended.error()), (Some(130), "error: interrupted"), "{}", ended.stderr);
        ended.left_no_files();
        eventually("the server is gone", || !alive(&pid()));
        fs::remove_file(&pid_file).unwrap();
    }
}

fn a_run_without_settings_announces_where_it_goes() {
    let taken = listens(TIDB_PORT);
    let ended = Cli::run("sqlx").end();
    let said = if taken {
        // Somebody's own server: what a run does there is tested elsewhere.
        "no server is configured"
    } else {
        ended.succeeded();
        "no server is configured, and no TiDB listens on 127.0.0.1:4000: starting a throw-away one"
    };
    assert!(ended.first_line().contains(said), "{}", ended.stderr);
    ended.left_no_files();
}
