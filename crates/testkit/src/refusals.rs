//! Checks for what a driver crate makes of a server that refuses a connection, breaks it off, or talks nonsense: the same
//! kind, outcome and sentence in every driver.
//!
//! The servers are stand-ins, so that the refusals of TiDB Cloud's gateway are among them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tidb_connect_core::{ConnectionConfig, Error, ErrorKind, Fault, Outcome, ServerError};
use tidb_connect_wire::{
    Answer, CommandKind, Script, Then,
    refusals::{self, Refusal},
};

use crate::{
    Failure, StandInSuite,
    authority::{Authority, Leaf},
    failure::{chain, equal, holds},
    stand_in::{PROMPT, SHORT, impatient, keeps_secret, start, told_no_secret},
    tls::{Connect, shown},
};

use ErrorKind::{
    AccessDenied, LimitExceeded, PermissionDenied, Protocol, TimedOut, Tls, TooManyConnections, Unavailable,
    UnknownDatabase,
};
use Outcome::{Final, Retryable};

/// Name of the check, what the server says, and what it means.
const TABLE: &[(&str, Refusal, ErrorKind, Outcome)] = &[
    ("insecure_transport_at_the_gateway", refusals::INSECURE_AT_GATEWAY, Tls, Final),
    ("insecure_transport", refusals::INSECURE, Tls, Final),
    ("missing_prefix", refusals::MISSING_PREFIX, AccessDenied, Final),
    ("denied_at_the_gateway", refusals::DENIED_AT_GATEWAY, AccessDenied, Final),
    ("denied", refusals::DENIED, AccessDenied, Final),
    ("quota_exhausted", refusals::QUOTA_EXHAUSTED, LimitExceeded, Final),
    ("connection_limit", refusals::CONNECTION_LIMIT, TooManyConnections, Retryable),
    ("too_many_connections", refusals::TOO_MANY_CONNECTIONS, TooManyConnections, Retryable),
    ("too_many_of_a_user", refusals::TOO_MANY_OF_USER, TooManyConnections, Retryable),
    ("limit_of_a_user", refusals::USER_LIMIT, TooManyConnections, Retryable),
    ("shutting_down", refusals::SHUTTING_DOWN, Unavailable, Retryable),
    ("unknown_database", refusals::UNKNOWN_DATABASE, UnknownDatabase, Final),
    ("database_denied", refusals::DATABASE_DENIED, PermissionDenied, Final),
    ("host_blocked", refusals::HOST_BLOCKED, TooManyConnections, Final),
    ("host_not_allowed", refusals::HOST_NOT_ALLOWED, AccessDenied, Final),
    ("password_must_be_reset", refusals::MUST_RESET_PASSWORD, AccessDenied, Final),
    ("account_locked", refusals::ACCOUNT_LOCKED, AccessDenied, Final),
];

/// The checks for `driver`, which opens a pool with its first connection.
pub fn suite(driver: &'static str, connect: Connect) -> StandInSuite {
    let mut suite = StandInSuite::new(driver);
    let bench = Bench { driver, connect };
    for &(name, refusal, kind, outcome) in TABLE {
        suite.check(name, move || refused(bench, refusal, kind, outcome));
    }
    suite.check("every_known_refusal_is_checked", || async { every_refusal_is_in_the_table() });
    suite.check("an_error_without_sqlstate_at_the_login_is_read", move || without_sqlstate(bench));
    suite.check("an_error_without_sqlstate_over_tls_is_no_demand_for_tls", move || without_sqlstate_over_tls(bench));
    suite.check("silence_ends_with_the_connect_time_out", move || silence(bench));
    suite.check("an_end_is_no_mysql_server", move || end(bench));
    suite.check("garbage_for_a_greeting_is_no_mysql_server", move || garbage(bench, Place::Greeting, GREETINGS));
    suite.check("garbage_for_an_answer_is_no_mysql_server", move || garbage(bench, Place::Login, ANSWERS));
    suite.check("a_login_method_that_is_not_used_is_named", move || other_plugin(bench));
    suite.check("the_login_method_before_mysql_4_1_is_named", move || oldest_plugin(bench));
    suite
}

#[derive(Clone, Copy)]
struct Bench {
    driver: &'static str,
    connect: Connect,
}

/// Where a server says something else than usual.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Greeting,
    Login,
    /// The `SET` that follows the login.
    FirstStatement,
}

const PLACES: [Place; 3] = [Place::Greeting, Place::Login, Place::FirstStatement];

impl Place {
    fn script(self, answer: Answer) -> Script {
        match self {
            Self::Greeting => Script::new().on_connect(answer),
            Self::Login => Script::new().on_login(answer),
            Self::FirstStatement => Script::new().on_command(CommandKind::Query, answer),
        }
    }
}

/// The certificate of the stand-ins, and the directory in which its authority is.
struct Certified {
    authority: Authority,
    files: TempDir,
}

impl Certified {
    fn new() -> Result<Self, Failure> {
        let files = tempfile::tempdir().map_err(|error| Failure::caused("the kit has no place for files:", &error))?;
        Ok(Self { authority: Authority::new()?, files })
    }
}

impl Bench {
    /// Connects to a server that says `answer` at `place`, and returns the error with the configuration.
    ///
    /// The error must be as `expected` and in time, and nothing may show or tell the password.
    async fn meets(
        &self,
        place: Place,
        answer: Answer,
        over_tls: Option<&Certified>,
        expected: impl FnOnce(&ConnectionConfig) -> (ErrorKind, Outcome, String),
    ) -> Result<Error, Failure> {
        let at = format!("{answer:?} at {place:?}{}: ", if over_tls.is_some() { " over TLS" } else { "" });
        let named = |failure: Failure| Failure::new(format!("{at}{failure}"));
        let (mut script, waits) = (place.script(answer.clone()), answer == Answer::Silence);
        if let Some(certified) = over_tls {
            script = script.with_tls(certified.authority.server_config(&Leaf::VALID)?);
        }
        let (server, mut config) = start(script)?;
        if let Some(Certified { authority, files }) = over_tls {
            config = config.with_ca_path(authority.write_ca(files.path())?);
        }
        if waits {
            config = impatient(config);
        }
        let started = Instant::now();
        let result = (self.connect)(config.clone()).await;
        let took = started.elapsed();
        let check = || {
            let Err(error) = result else { return Err(Failure::new("no refusal")) };
            let (kind, outcome, sentence) = expected(&config);
            equal(&format!("the sentence of {error:?}"), error.to_string(), sentence)?;
            equal("kind", error.kind(), kind)?;
            equal("outcome", error.outcome(), outcome)?;
            equal("driver", error.driver(), Some(self.driver))?;
            holds("there is no cause below", std::error::Error::source(&error).is_some())?;
            chain(Some(&error)).try_for_each(|error| keeps_secret(&format!("{error} {}", shown(&error))))?;
            told_no_secret(&server)?;
            let least = if waits { SHORT } else { Duration::ZERO };
            holds(&format!("it took {took:?}"), (least..PROMPT).contains(&took))?;
            if place != Place::Greeting {
                let tls = server.visits().iter().any(|visit| visit.login && visit.tls);
                equal("login over TLS", tls, over_tls.is_some())?;
            }
            Ok(error)
        };
        check().map_err(named)
    }
}

fn packet(refusal: Refusal) -> ServerError {
    ServerError::new(refusal.code, refusal.sqlstate.unwrap_or_default(), refusal.text)
}

/// The sentence for `fault`, as every driver must say it.
fn sentence(config: &ConnectionConfig, fault: Fault) -> String {
    config.connect_error("any", fault, "a cause").to_string()
}

async fn refused(bench: Bench, refusal: Refusal, kind: ErrorKind, outcome: Outcome) -> Result<(), Failure> {
    let certified = Certified::new()?;
    let (plain, tls) = (None, Some(&certified));
    let mut ways = vec![
        (Place::Greeting, refusal, plain),
        (Place::Greeting, refusal.without_sqlstate(), plain),
        (Place::Greeting, refusal, tls),
        (Place::Login, refusal, plain),
    ];
    // It demands what is there already.
    if kind != Tls {
        ways.extend([(Place::Login, refusal, tls), (Place::FirstStatement, refusal, plain)]);
    }
    for (place, refusal, tls) in ways {
        let expected = |config: &ConnectionConfig| (kind, outcome, sentence(config, Fault::Server(packet(refusal))));
        let error = bench.meets(place, Answer::Error(refusal), tls, expected).await?;
        let readable = refusal.sqlstate.is_some() || place == Place::Greeting;
        match error.server() {
            Some(server) => is_packet(server, refusal)?,
            None => holds(&format!("{refusal:?} at {place:?} is lost: {error:?}"), !readable)?,
        }
    }
    Ok(())
}

/// SQLSTATE is only compared where there was one: a driver may put one of its own in the place of none.
fn is_packet(server: &ServerError, refusal: Refusal) -> Result<(), Failure> {
    let sqlstate = refusal.sqlstate.unwrap_or(&server.sqlstate);
    equal("the server's error", server, &ServerError::new(refusal.code, sqlstate, refusal.text))
}

fn every_refusal_is_in_the_table() -> Result<(), Failure> {
    let missing = |refusal: &Refusal| TABLE.iter().all(|(_, checked, ..)| checked != refusal);
    let missing: Vec<&str> = refusals::ALL.iter().filter(|(_, known)| missing(known)).map(|(name, _)| *name).collect();
    holds(&format!("not checked: {missing:?}"), missing.is_empty())
}

async fn without_sqlstate(bench: Bench) -> Result<(), Failure> {
    let refusal = refusals::DENIED.without_sqlstate();
    let expected = |config: &ConnectionConfig| (AccessDenied, Final, sentence(config, Fault::Server(packet(refusal))));
    let error = bench.meets(Place::Login, Answer::Error(refusal), None, expected).await?;
    error.server().map_or(Err(Failure::new("the packet is lost")), |server| is_packet(server, refusal))
}

async fn without_sqlstate_over_tls(bench: Bench) -> Result<(), Failure> {
    let certified = Certified::new()?;
    let tls = certified.authority.server_config(&Leaf::VALID)?;
    let refusal = Answer::Error(refusals::DENIED.without_sqlstate());
    let (_server, config) = start(Place::Login.script(refusal).with_tls(Arc::clone(&tls)))?;
    let config = config.with_ca_path(certified.authority.write_ca(certified.files.path())?);
    match (bench.connect)(config).await {
        Ok(_) => Err(Failure::new("no refusal")),
        Err(error) => holds(&format!("TLS is there already: {error:?}"), error.kind() != Tls),
    }
}

async fn silence(bench: Bench) -> Result<(), Failure> {
    let certified = Certified::new()?;
    let expected = |config: &ConnectionConfig| (TimedOut, Retryable, config.connect_timed_out("any").to_string());
    for place in PLACES {
        bench.meets(place, Answer::Silence, None, expected).await?;
    }
    bench.meets(Place::Login, Answer::Silence, Some(&certified), expected).await.map(drop)
}

fn no_mysql_server(config: &ConnectionConfig) -> (ErrorKind, Outcome, String) {
    (Protocol, Retryable, sentence(config, Fault::Protocol))
}

async fn end(bench: Bench) -> Result<(), Failure> {
    let certified = Certified::new()?;
    for place in PLACES {
        bench.meets(place, Answer::Close, None, no_mysql_server).await?;
        bench.meets(place, Answer::Close, Some(&certified), no_mysql_server).await?;
    }
    Ok(())
}

/// Other protocols, packets that are no greeting, and greetings that are cut short.
const GREETINGS: &[&[u8]] = &[
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
    b"\0\0\0\0",
    b"\x05\0",
    b"\x05\0\0\0",
    b"\x4a\0\0\0\x0a8.0.11",
    b"\x05\0\0\0hello",
    b"\x01\0\0\0\x0a",
    b"\x04\0\0\0\x0a8.0",
    b"\x06\0\0\0\x0a8.0.\0",
    b"\x0b\0\0\0\x0a8.0.11\0\x01\0\0",
    b"\x01\0\0\0\xff",
    b"\x02\0\0\0\xff\x10",
];

/// Packets that answer no login, and answers that are cut short.
const ANSWERS: &[&[u8]] = &[
    b"\0\0\0\x02",
    b"\x07\0",
    b"\x07\0\0\x02\0\0\0",
    b"\x05\0\0\x02hello",
    b"\x01\0\0\x02\xff",
    b"\x02\0\0\x02\xff\x15",
    b"\x01\0\0\x02\x01",
    b"\x02\0\0\x02\x01\x04",
    b"\x06\0\0\x02\xfemysql",
    b"\x16\0\0\x02\xfecaching_sha2_password",
    b"\x17\0\0\x02\xfecaching_sha2_password\0",
];

async fn garbage(bench: Bench, place: Place, garbage: &'static [&'static [u8]]) -> Result<(), Failure> {
    for bytes in garbage {
        bench.meets(place, Answer::Bytes((*bytes).into(), Then::Close), None, no_mysql_server).await?;
    }
    Ok(())
}

fn login_method(config: &ConnectionConfig) -> (ErrorKind, Outcome, String) {
    (AccessDenied, Final, sentence(config, Fault::LoginMethod))
}

async fn other_plugin(bench: Bench) -> Result<(), Failure> {
    for plugin in ["dialog", "mysql_clear_password", "mysql_old_password"] {
        bench.meets(Place::Login, Answer::AuthSwitch(plugin.into()), None, login_method).await?;
    }
    Ok(())
}

/// The request for it has no name in it.
async fn oldest_plugin(bench: Bench) -> Result<(), Failure> {
    let request = Answer::Bytes(b"\x01\0\0\x02\xfe".into(), Then::Close);
    bench.meets(Place::Login, request, None, login_method).await.map(drop)
}
