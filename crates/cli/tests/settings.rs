//! Bad input: one clear sentence that names the setting, the same in every driver, its cause, and no password.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod support;

use std::fs;

use support::{Cli, DRIVERS, Ended, eventually};
use tidb_connect_wire::{Answer, Script, StandIn, Then};

const PASSWORD: &str = "c4n4ry-passw0rd";

const SETTINGS: i32 = 2;
const NO_CONNECTION: i32 = 3;

/// Holds for every failure.
#[track_caller]
fn failed(ended: &Ended, code: i32, sentence: &str) {
    assert_eq!(ended.error(), format!("error: {sentence}"), "{}", ended.stderr);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{}", ended.stderr);
    let shown = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!shown.contains(PASSWORD), "{shown}");
    assert!(!ended.stderr.contains("starting"), "another server took its place: {}", ended.stderr);
}

/// The first lines that the drivers say, all at once because some of them wait.
#[track_caller]
fn sentences(prepare: impl Fn(Cli) -> Cli) -> [String; 3] {
    let running = DRIVERS.map(|driver| prepare(Cli::run(driver).env("TIDB_PASSWORD", PASSWORD)).spawn());
    running.map(|running| {
        let ended = running.end();
        let sentence = ended.error().strip_prefix("error: ").unwrap_or_default().to_owned();
        failed(&ended, NO_CONNECTION, &sentence);
        assert!(ended.stderr.contains("\n  caused by: "), "{}", ended.stderr);
        sentence
    })
}

#[track_caller]
fn no_connection(prepare: impl Fn(Cli) -> Cli, sentence: &str) {
    assert_eq!(sentences(prepare), [sentence; 3]);
}

#[track_caller]
fn wrong(prepare: impl Fn(Cli) -> Cli, sentence: &str) {
    let ended = prepare(Cli::run("sqlx").env("TIDB_PASSWORD", PASSWORD)).end();
    failed(&ended, SETTINGS, sentence);
}

#[test]
fn a_malformed_line_of_dotenv_is_named() {
    let text = format!("TIDB_HOST=127.0.0.1\nTIDB_PASSWORD={PASSWORD} {PASSWORD}\n");
    wrong(
        |cli| cli.dotenv(&text),
        "line 2 of .env sets TIDB_PASSWORD, and has a space in its value: put the value in single quotes",
    );
}

#[test]
fn a_setting_is_named_with_where_it_stands() {
    let number = "it must be a number from 1 to 65535, usually 4000";
    for port in ["abc", "0", "70000"] {
        wrong(|cli| cli.env("TIDB_PORT", port), &format!("TIDB_PORT in the environment is '{port}': {number}"));
        wrong(|cli| cli.dotenv(&format!("TIDB_PORT={port}\n")), &format!("TIDB_PORT in .env is '{port}': {number}"));
        let ended = Cli::new(["run", "--port", port]).env("TIDB_PASSWORD", PASSWORD).end();
        failed(&ended, SETTINGS, &format!("--port is '{port}': {number}"));
    }
    let host = "it must be the server's name or address alone; the port is a setting of its own";
    wrong(|cli| cli.env("TIDB_HOST", ""), &format!("TIDB_HOST in the environment is empty: {host}"));
}

#[test]
fn a_ca_file_must_be_readable_pem() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let ca = |cli: Cli, path: &str| cli.env("TIDB_HOST", "127.0.0.1").env("CA_PATH", path);
    let sentence = |path: &str| format!("CA_PATH in the environment is '{path}': it must be a readable PEM file");
    wrong(|cli| ca(cli, "/nowhere/ca.pem"), &sentence("/nowhere/ca.pem"));
    wrong(|cli| ca(cli, "/"), &sentence("/"));
    wrong(|cli| ca(cli, path), &sentence(path));
    fs::write(path, "no certificate\n").unwrap();
    wrong(|cli| ca(cli, path), &sentence(path));
    wrong(|cli| cli.env("CA_PATH", path), &sentence(path));
}

#[test]
fn a_flag_beats_the_environment_which_beats_dotenv() {
    let here = |name: &str| format!("the host name {name}.invalid has no address: check TIDB_HOST");
    let dotenv = |cli: Cli| cli.dotenv("TIDB_HOST=dotenv.invalid\n");
    no_connection(dotenv, &here("dotenv"));
    no_connection(|cli| dotenv(cli).env("TIDB_HOST", "environment.invalid"), &here("environment"));
    no_connection(
        |mut cli| {
            cli.command.args(["--host", "flag.invalid"]);
            dotenv(cli).env("TIDB_HOST", "environment.invalid")
        },
        &here("flag"),
    );
}

/// Something that is no MySQL server: it says `greeting` to each client.
fn stranger(greeting: &'static [u8], then: Then) -> StandIn {
    StandIn::start(Script::new().on_connect(Answer::Bytes(greeting.into(), then))).unwrap()
}

#[test]
fn a_long_wait_says_what_it_is_for() {
    let silent = stranger(b"", Then::Silence);
    let ended = Cli::run("sqlx").server(silent.addr()).end();
    assert!(ended.stderr.starts_with("still connecting, for up to 20 s\nerror: "), "{}", ended.stderr);
}

const SSH: &[u8] = b"SSH-2.0-OpenSSH_9.2\r\n";
const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_server_that_is_not_mysql_gets_one_sentence_that_names_the_port() {
    // The last one begins as MySQL does, and breaks off within the version.
    let greetings = [
        (&b""[..], Then::Close),
        (SSH, Then::Close),
        (HTTP, Then::Close),
        (b"\x05\0\0\0hello", Then::Silence),
        (b"\x04\0\0\0\x0a8.0", Then::Silence),
    ];
    for (greeting, then) in greetings {
        let server = stranger(greeting, then);
        let addr = server.addr();
        let [sentence, others @ ..] = sentences(|cli| cli.server(addr));
        assert_eq!(others, [sentence.as_str(); 2], "{}", greeting.escape_ascii());
        assert!(sentence.starts_with(&addr.to_string()) && sentence.contains("TIDB_PORT"), "{sentence}");
    }
}

/// Read as MySQL, the greeting announces a packet of megabytes: a driver may refuse it at once, or wait for it.
#[test]
fn an_ssh_server_that_waits_gets_a_sentence_that_names_the_port() {
    let server = stranger(SSH, Then::Silence);
    let addr = server.addr();
    for sentence in sentences(|cli| cli.server(addr)) {
        assert!(sentence.starts_with(&addr.to_string()) && sentence.contains("TIDB_PORT"), "{sentence}");
    }
}

#[test]
fn ctrl_c_does_not_wait_for_a_silent_server() {
    for driver in DRIVERS {
        let silent = stranger(b"", Then::Silence);
        let running = Cli::run(driver).server(silent.addr()).spawn();
        eventually("the program connects", || !silent.visits().is_empty());
        running.signal("INT", "");
        // Half of the time-out that would end it too.
        let ended = running.end_within(std::time::Duration::from_secs(10));
        assert_eq!((ended.code, ended.error()), (Some(130), "error: interrupted"), "{driver}");
    }
}

#[test]
fn a_line_of_another_program_in_dotenv_is_passed_over() {
    let sentence = "the host name dotenv.invalid has no address: check TIDB_HOST";
    no_connection(|cli| cli.dotenv("APP_NAME=My App\nNAME=it's\nTIDB_HOST=dotenv.invalid\n"), sentence);
}

#[test]
fn variables_of_another_program_are_not_read_beside_ours() {
    let sentence = "the host name ours.invalid has no address: check TIDB_HOST";
    let theirs = |cli: Cli| {
        let cli = cli.env("DATABASE_URL", "postgres://theirs@theirs/theirs");
        cli.env("DATABASE_PORT", "tcp://10.96.0.12:5432").env("TIDB_HOST", "ours.invalid")
    };
    no_connection(theirs, sentence);
}

#[test]
fn what_dotenv_does_to_a_password_of_the_environment_is_said() {
    let ended = Cli::run("sqlx").env("TIDB_PASSWORD", PASSWORD).dotenv("TIDB_HOST=dotenv.invalid\n").end();
    let note = "note: TIDB_PASSWORD in the environment is used with host = dotenv.invalid (from TIDB_HOST in .env)";
    assert_eq!(ended.first_line(), note, "{}", ended.stderr);
}

#[test]
fn a_misspelt_variable_is_named() {
    let sentence = "TIDB_PASWORD in the environment is not a setting: did you mean TIDB_PASSWORD?";
    let ended = Cli::run("sqlx").env("TIDB_HOST", "127.0.0.1").env("TIDB_PASWORD", PASSWORD).end();
    failed(&ended, SETTINGS, sentence);
}

#[test]
fn a_reader_of_the_output_who_goes_is_no_error() {
    let nobody = support::nobody();
    let mut cli = Cli::new(["doctor"]).server(nobody);
    // Its reading end is closed before the program writes.
    cli.command.stdout(std::io::pipe().unwrap().1);
    let ended = cli.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(141), ""));
}
