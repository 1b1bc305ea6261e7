//! Checks for what a transaction makes of an answer that breaks off, wherever it does: the same ones for every driver, and
//! for every form in which it can be called, on a stand-in.
//!
//! A closure that returned `Ok` and was told `Committed` has had every one of its statements applied, or was told that one
//! was not.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tidb_connect_core::{Committed, ConnectionConfig, ErrorKind, RetryPolicy, TransactionError, TransactionOptions};
use tidb_connect_wire::{Answer, Break, CommandKind, Place, Refusal, Script, StandIn};

use crate::{
    Failure, StandInSuite,
    failure::{equal, holds},
    stand_in::{impatient, start},
};

/// The statement before the one under test, that one, and the one after it.
pub const BEFORE: &str = "UPDATE t SET a = a + 1";
/// As [`BEFORE`].
pub const TESTED: &str = "SELECT text FROM t FOR UPDATE";
/// As [`BEFORE`].
pub const AFTER: &str = "UPDATE t SET b = b + 1";

/// Runs the three statements in a transaction, the one under test in the form of this name. An error of it ends the closure,
/// unless it is to be swallowed.
pub type Run = fn(ConnectionConfig, TransactionOptions, &'static str, Swallow) -> BoxFuture<'static, Came>;

/// Whether the closure goes on after an error of the statement under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swallow {
    /// It does.
    Yes,
    /// It returns the error.
    No,
}

/// What came of a [`Run`].
#[derive(Debug)]
pub struct Came {
    /// The transaction's result.
    pub ended: Result<Committed<()>, TransactionError<String>>,
    /// Whether the statement under test returned an error to the closure, in its last attempt.
    pub told: bool,
}

const CONFLICT: Refusal =
    Refusal { code: 1213, sqlstate: Some("40001"), text: "Deadlock found when trying to get lock" };
const LAZY: Refusal = Refusal {
    code: 8147,
    sqlstate: Some("HY000"),
    text: "transaction aborted because lazy uniqueness check is enabled and an error occurred: [kv:9007]Write conflict",
};
const OTHER: Refusal =
    Refusal { code: 1264, sqlstate: Some("22003"), text: "Out of range value for column 'a' at row 1" };

/// How far a form reads an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// To its end.
    All,
    /// Up to the first row, and lets go of the rest.
    Part,
    /// Not at all: a transaction refuses the form.
    Refused,
}

/// The checks for `driver` with each of its forms.
pub fn suite(driver: &'static str, run: Run, forms: &[(&'static str, Reads)]) -> StandInSuite {
    let mut suite = StandInSuite::new(driver);
    for &(form, reads) in forms {
        suite.check(form, move || every_break(run, form, reads));
    }
    suite
}

async fn every_break(run: Run, form: &'static str, reads: Reads) -> Result<(), Failure> {
    for place in Place::ALL {
        for end in [Break::Error(CONFLICT), Break::Error(LAZY), Break::Error(OTHER), Break::Close] {
            for swallow in [Swallow::Yes, Swallow::No] {
                let cell = one_break(run, form, reads, Answer::Broken(place, end), swallow).await;
                cell.map_err(|failure| {
                    Failure::new(format!("{end:?} at {place:?}, swallowed: {swallow:?}: {failure}"))
                })?;
            }
        }
    }
    Ok(())
}

async fn one_break(
    run: Run,
    form: &'static str,
    reads: Reads,
    answer: Answer,
    swallow: Swallow,
) -> Result<(), Failure> {
    let (server, config) =
        start(Script::new().on_statement(TESTED, answer.clone()).on_command(CommandKind::Execute, answer.clone()))?;
    let retry = RetryPolicy::transaction().with_max_attempts(2).with_pauses(Duration::ZERO, Duration::ZERO);
    let options = TransactionOptions::new().with_retry(retry);
    let Came { ended, told } = run(impatient(config), options, form, swallow).await;
    let sent = |statement: &str| sent(&server, statement);
    let refused = reads == Reads::Refused;
    if refused {
        equal("how often it was sent", sent(TESTED), 0)?;
        holds("the closure was not told", told)?;
    }
    let (attempts, committed) = (sent("BEGIN /*T! PESSIMISTIC */"), sent("COMMIT"));
    if let Ok(done) = &ended {
        holds("it was committed, although a statement failed and the closure was not told", told)?;
        equal("the attempts until it was committed", done.attempts, 1)?;
        equal("how often COMMIT was sent", committed, 1)?;
        equal("how often the last statement was sent", sent(AFTER), 1)?;
    } else {
        equal("how often COMMIT was sent", committed, 0)?;
    }
    if reads == Reads::Part && !told {
        equal("how often the last statement was sent", sent(AFTER), 0)?;
        return holds(&format!("it came to {ended:?}"), ended.is_err());
    }
    let expected = match (&answer, swallow) {
        _ if refused => {
            matches!((&ended, swallow), (Ok(_), Swallow::Yes) | (Err(TransactionError::Aborted(_)), Swallow::No))
        }
        (Answer::Broken(_, Break::Error(OTHER)), Swallow::Yes) => ended.is_ok(),
        (Answer::Broken(_, Break::Error(OTHER)), Swallow::No) => matches!(ended, Err(TransactionError::Aborted(_))),
        (Answer::Broken(_, end), _) => {
            equal("how often the last statement was sent", sent(AFTER), 0)?;
            equal("the attempts", attempts, 2)?;
            let kind = if *end == Break::Close { ErrorKind::ConnectionLost } else { ErrorKind::Conflict };
            matches!(ended, Err(TransactionError::Exhausted { kind: met, .. }) if met == kind)
        }
        _ => false,
    };
    holds(&format!("it came to {ended:?}"), expected)
}

/// How often a statement was run, as text or prepared.
fn sent(server: &StandIn, statement: &str) -> usize {
    let visits = server.visits();
    let commands = visits.iter().flat_map(|visit| &visit.commands);
    commands.filter(|command| command.text.as_deref() == Some(statement)).count()
}
