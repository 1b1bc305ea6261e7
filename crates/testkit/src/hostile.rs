//! Checks for what a driver crate lets a hostile server do: take files and passwords, hold a caller, fill the memory, or
//! make the driver panic.

use std::{fs, time::Instant};

use futures_util::future::BoxFuture;
use tidb_connect_core::{BoxError, ConnectionConfig, TlsMode};
use tidb_connect_wire::{Answer, CommandKind, Script, Then};

use crate::{
    Failure, StandInSuite,
    failure::{equal, holds},
    stand_in::{CANARY, PROMPT, SHORT, impatient, keeps_secret, start, told_no_secret},
    tls::shown,
};

/// Opens a pool, and runs a statement on one of its connections, without looking at rows.
pub type Attempt = fn(ConnectionConfig, &'static str) -> BoxFuture<'static, Result<(), BoxError>>;

/// The statement that is answered in a hostile way. Every other is answered with OK.
const STATEMENT: &str = "SELECT 1";

/// How much of an endless answer is sent, and how much memory reading it may take.
const ENDLESS: u64 = 64 << 20;
const MEMORY: u64 = 32 << 20;

/// The checks for `driver`, with an attempt that runs its statement as text, and one that prepares it.
pub fn suite(driver: &'static str, attempt: Attempt, prepared: Attempt) -> StandInSuite {
    let mut suite = StandInSuite::new(driver);
    suite.check("a_statement_that_is_answered_is_run", move || answered(attempt));
    suite.check("no_file_is_given_away", move || no_file(attempt));
    suite.check("no_password_is_given_away", move || no_password(attempt));
    suite.check("packets_out_of_order_are_refused_at_the_login", move || out_of_order_at_the_login(attempt));
    suite.check("packets_out_of_order_are_refused_after_the_login", move || out_of_order(attempt));
    suite.check("a_packet_that_does_not_come_is_not_waited_for", move || announced(attempt));
    suite.check("rows_without_end_fill_no_memory", move || endless(attempt));
    suite.check("garbage_after_the_login_is_an_error", move || garbage(attempt, GARBAGE));
    suite.check("garbage_for_rows_is_an_error", move || garbage_for_rows(attempt));
    suite.check("an_ok_cut_short_is_an_error", move || garbage(attempt, CUT_SHORT));
    suite.check_apart("an_announced_number_takes_no_memory_at_connect", move || numbers(attempt, Place::Connect));
    suite.check_apart("an_announced_number_takes_no_memory_in_an_answer", move || numbers(attempt, Place::Statement));
    suite.check_apart("an_announced_number_takes_no_memory_when_prepared", move || numbers(prepared, Place::Prepare));
    suite.check_apart("an_announced_number_takes_no_memory_when_executed", move || numbers(prepared, Place::Execute));
    suite.check_apart("an_announced_length_takes_no_memory", move || lengths(attempt, prepared));
    suite.check_apart("an_error_nested_in_errors_ends", move || nested(attempt));
    suite
}

/// Makes an attempt, which must end in time, and show or tell no password.
async fn meets(attempt: Attempt, script: Script) -> Result<Result<(), BoxError>, Failure> {
    meets_with(attempt, TlsMode::Automatic, script).await
}

async fn meets_with(attempt: Attempt, tls: TlsMode, script: Script) -> Result<Result<(), BoxError>, Failure> {
    let (server, config) = start(script)?;
    let started = Instant::now();
    let result = attempt(impatient(config).with_tls(tls), STATEMENT).await;
    holds(&format!("it took {:?}", started.elapsed()), started.elapsed() < PROMPT)?;
    told_no_secret(&server)?;
    if let Err(error) = &result {
        keeps_secret(&format!("{error} {}", shown(error)))?;
    }
    Ok(result)
}

/// Makes an attempt that must end in an error.
async fn fails(attempt: Attempt, what: &str, script: Script) -> Result<(), Failure> {
    fails_with(attempt, TlsMode::Automatic, what, script).await
}

async fn fails_with(attempt: Attempt, tls: TlsMode, what: &str, script: Script) -> Result<(), Failure> {
    match meets_with(attempt, tls, script).await {
        Ok(Err(_)) => Ok(()),
        Ok(Ok(())) => Err(Failure::new(format!("no error: {what}"))),
        Err(failure) => Err(Failure::new(format!("{what}: {failure}"))),
    }
}

fn answers(answer: Answer) -> Script {
    Script::new().on_statement(STATEMENT, answer)
}

fn bytes(bytes: &'static [u8], then: Then) -> Answer {
    Answer::Bytes(bytes.into(), then)
}

/// Or else the errors of the other checks prove nothing.
async fn answered(attempt: Attempt) -> Result<(), Failure> {
    let (server, config) = start(answers(Answer::Row("one".into())))?;
    attempt(config, STATEMENT).await.map_err(|error| Failure::new(format!("the attempt failed: {error}")))?;
    let visits = server.visits();
    let sent = visits.iter().flat_map(|visit| &visit.commands).filter(|c| c.text.as_deref() == Some(STATEMENT));
    equal("times the statement was sent", sent.count(), 1)
}

async fn no_file(attempt: Attempt) -> Result<(), Failure> {
    let broken = |error| Failure::caused("the kit has no place for files:", &error);
    let file = tempfile::NamedTempFile::new().map_err(broken)?;
    fs::write(file.path(), CANARY).map_err(broken)?;
    let name = file.path().to_string_lossy().into_owned();
    // The file's contents are the canary that must not be sent.
    meets(attempt, answers(Answer::LocalInfile(name.into()))).await.map(drop)
}

/// Login methods whose answer is the password itself, or hardly hides it.
const SHOWING: &[&str] = &["mysql_clear_password", "mysql_old_password", "dialog"];

/// What a server says to a login by `caching_sha2_password`, as packet 2: that it knows the password, that it wants the whole
/// password, and its key to encrypt that with, which is none.
const FAST_PATHS: &[&[u8]] =
    &[b"\x02\0\0\x02\x01\x03", b"\x02\0\0\x02\x01\x04", b"\x02\0\0\x02\x01\x04\x08\0\0\x04\x01not a key"];

async fn no_password(attempt: Attempt) -> Result<(), Failure> {
    for tls in [TlsMode::Automatic, TlsMode::Disabled] {
        for &plugin in SHOWING {
            let switch = || Script::new().on_login(Answer::AuthSwitch(plugin.into()));
            fails_with(attempt, tls, &format!("{plugin} in the switch"), switch()).await?;
            let greeting = Script::new().with_plugins(vec![plugin]);
            // A driver may answer it by a method of its own choice.
            meets_with(attempt, tls, greeting).await?.ok();
            let both = Script::new().with_plugins(vec![plugin]).on_login(Answer::AuthSwitch(plugin.into()));
            fails_with(attempt, tls, &format!("{plugin} in greeting and switch"), both).await?;
            // A peer that behaves as long as somebody may be looking.
            let (server, config) = start(Script::new().with_plugins(vec!["mysql_native_password", plugin]))?;
            for _ in 0..2 {
                attempt(impatient(config.clone()).with_tls(tls), STATEMENT).await.ok();
            }
            equal("the connections", server.visits().len(), 2)?;
            told_no_secret(&server)?;
        }
        for plugin in ["caching_sha2_password", "sha256_password", "mysql_native_password", ""] {
            for &said in FAST_PATHS {
                for then in [Then::Next, Then::Close] {
                    let script = Script::new().with_plugins(vec![plugin]).on_login(bytes(said, then));
                    meets_with(attempt, tls, script).await?.ok();
                }
            }
        }
    }
    Ok(())
}

/// OK, as packet 9.
const OUT_OF_ORDER: &[u8] = b"\x07\0\0\x09\0\0\0\x02\0\0\0";

async fn out_of_order_at_the_login(attempt: Attempt) -> Result<(), Failure> {
    fails(attempt, "packet 9 after packet 1", Script::new().on_login(bytes(OUT_OF_ORDER, Then::Next))).await
}

async fn out_of_order(attempt: Attempt) -> Result<(), Failure> {
    fails(attempt, "packet 9 after packet 0", answers(bytes(OUT_OF_ORDER, Then::Next))).await
}

async fn announced(attempt: Attempt) -> Result<(), Failure> {
    let part = |number: u8| Answer::Bytes(vec![0xff, 0xff, 0xff, number, b'a', b'b', b'c'].into(), Then::Silence);
    fails(attempt, "a greeting of 16 MiB", Script::new().on_connect(part(0))).await?;
    fails(attempt, "an answer of 16 MiB to the login", Script::new().on_login(part(2))).await?;
    let started = Instant::now();
    fails(attempt, "an answer of 16 MiB", answers(part(1))).await?;
    holds("nothing was waited for", started.elapsed() >= SHORT)
}

async fn endless(attempt: Attempt) -> Result<(), Failure> {
    // The start of the measure is not that of the program, which has already sent and read something.
    answered(attempt).await?;
    let before = peak_memory()?;
    fails(attempt, "rows without end", answers(Answer::Rows(ENDLESS))).await?;
    let taken = peak_memory()?.saturating_sub(before);
    holds(&format!("{taken} bytes of memory were taken"), taken < MEMORY)
}

/// The most that this process has had in memory, in bytes.
fn peak_memory() -> Result<u64, Failure> {
    let unknown = || Failure::new("the system does not say how much memory is in use");
    let status = fs::read_to_string("/proc/self/status").map_err(|_| unknown())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or_else(unknown)?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().map_err(|_| unknown())?;
    Ok(kilobytes << 10)
}

/// Packets that answer no statement, and answers that are cut short, each as the first after it.
const GARBAGE: &[&[u8]] = &[
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\0\0\0\x01",
    b"\x07\0",
    b"\x07\0\0\x01\0\0\0",
    b"\x01\0\0\x01\xff",
    b"\x02\0\0\x01\xff\x15",
    b"\x01\0\0\x01\xfb",
    b"\x01\0\0\x01\xfc",
    b"\x01\0\0\x01\xfe",
    b"\x01\0\0\x01\x01\0\0\0\x02",
    b"\x01\0\0\x01\x01\x03\0\0\x02def",
    b"\x01\0\0\x01\x01\x05\0\0\x02hello\x05\0\0\x03hello\x05\0\0\x04hello",
];

/// A column as it should be.
const COLUMN: &[u8] = b"\x03def\0\0\0\x04text\x04text\x0c\x2e\0\0\0\x01\0\xfd\0\0\0\0\0";

/// Rows that promise more than they have, or are none.
const ROWS: &[&[u8]] = &[b"\xfc", b"\x09one", b"", b"\xff"];

/// The header of an OK packet, alone and with the start of a number.
const CUT_SHORT: &[&[u8]] = &[b"\x01\0\0\x01\0", b"\x02\0\0\x01\0\xfe"];

async fn garbage_for_rows(attempt: Attempt) -> Result<(), Failure> {
    for &row in ROWS {
        // More than one, for a driver that reads on after the first.
        let said = |packets: &[&[u8]]| {
            let said = [&[b"\x01", COLUMN], packets].concat();
            answers(Answer::Bytes(framed(&said).into(), Then::Close))
        };
        fails(attempt, &format!("rows of '{}'", row.escape_ascii()), said(&[row; 3])).await?;
        // The EOF packet is what some drivers wait for before rows, and to the others it is their end.
        for eof in [&b"\xfe\0\0\x02\0"[..], b"\xfe\0", b"\xfe"] {
            meets(attempt, said(&[eof, row, row, row])).await?.ok();
        }
    }
    Ok(())
}

async fn garbage(attempt: Attempt, garbage: &'static [&'static [u8]]) -> Result<(), Failure> {
    for garbage in garbage {
        fails(attempt, &garbage.escape_ascii().to_string(), answers(bytes(garbage, Then::Close))).await?;
    }
    Ok(())
}

/// Where a number or a length is announced that nothing follows.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// In the answer to the statement by which a driver begins.
    Connect,
    Statement,
    Prepare,
    Execute,
}

impl Place {
    /// Says these packets, and closes the connection.
    fn says(self, packets: &[&[u8]]) -> Script {
        let answer = Answer::Bytes(framed(packets).into(), Then::Close);
        match self {
            Self::Connect => Script::new().on_command(CommandKind::Query, answer),
            Self::Statement | Self::Prepare => answers(answer),
            Self::Execute => Script::new().on_command(CommandKind::Execute, answer),
        }
    }
}

/// Numbers as the protocol has them, of 2 to 8 bytes. The memory for so many columns would be more than there is from the
/// second on; that for the last two cannot be counted in 64 bits.
const NUMBERS: &[&[u8]] = &[
    b"\xfc\xff\xff",
    b"\xfd\xff\xff\xff",
    b"\xfe\0\0\0\x10\0\0\0\0",
    b"\xfe\0\0\0\0\x02\0\0\0",
    b"\xfe\0\0\0\0\0\0\0\x40",
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff",
];

/// The answers to a statement that is to be prepared: its id, and numbers of columns and parameters.
const PREPARED: &[&[u8]] =
    &[b"\0\x01\0\0\0\xff\xff\0\0\0\0\0", b"\0\x01\0\0\0\0\0\xff\xff\0\0\0", b"\0\x01\0\0\0\xff\xff\xff\xff\0\0\0"];

async fn numbers(attempt: Attempt, place: Place) -> Result<(), Failure> {
    for number in if place == Place::Prepare { PREPARED } else { NUMBERS } {
        fails(attempt, &number.escape_ascii().to_string(), place.says(&[number])).await?;
    }
    Ok(())
}

/// A text, in place of every text that a server sends, that is longer than what comes of it.
async fn lengths(attempt: Attempt, prepared: Attempt) -> Result<(), Failure> {
    for number in NUMBERS {
        let after = |start: &[u8]| [start, number].concat();
        let row = after(b"");
        for (what, packets) in [
            ("a column", vec![&b"\x01"[..], &row]),
            ("a row", vec![b"\x01", COLUMN, &row]),
            ("a row behind an EOF", vec![b"\x01", COLUMN, b"\xfe\0\0\x02\0", &row]),
            ("an OK", vec![&after(b"\0\0\0\x02\0\0\0")]),
            ("an OK with changes of the session", vec![&after(b"\0\0\0\x02\x40\0\0\0")]),
        ] {
            let what = format!("{what} with {}", number.escape_ascii());
            // An OK may be taken for what it is without its end.
            let met = meets(attempt, Place::Statement.says(&packets)).await;
            met.map_err(|failure| Failure::new(format!("{what}: {failure}")))?.ok();
        }
        let row = after(b"\0\0");
        let met = meets(prepared, Place::Execute.says(&[b"\x01", COLUMN, b"\xfe\0\0\x02\0", &row])).await;
        met.map_err(|failure| Failure::new(format!("a binary row with {}: {failure}", number.escape_ascii())))?.ok();
    }
    Ok(())
}

/// An error whose text has another error in it, which has another: TiDB's 8113 names its reason like that.
async fn nested(attempt: Attempt) -> Result<(), Failure> {
    let error = [b"\xff\xb1\x1f#HY000", "[a:8113]".repeat(200_000).as_bytes()].concat();
    fails(attempt, "200,000 errors in one another", Place::Statement.says(&[&error])).await
}

/// These packets as answers to a command.
fn framed(packets: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, packet) in (1..).zip(packets) {
        bytes.extend_from_slice(&(packet.len() as u32).to_le_bytes()[..3]);
        bytes.push(number);
        bytes.extend_from_slice(packet);
    }
    bytes
}
