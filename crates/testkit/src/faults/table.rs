//! What must come of each fault in each phase.

use std::time::Duration;

use fastrand::Rng;
use tidb_connect_core::{ErrorKind, Outcome, players::sql};
use tidb_connect_wire::{self as wire, Answer, CommandKind, Point, Refusal, Then, refusals};

use super::SECOND;

/// How long a fault delays, which no limit is short enough to notice.
const DELAY: Duration = Duration::from_millis(200);

/// Where a list of rows is in the middle, in bytes: after the columns, and far before the end.
const IN_THE_ROWS: std::ops::Range<u64> = 1_000..6_000;

macro_rules! names {
    ($(#[$doc:meta])* $type:ident: $($(#[$variant_doc:meta])* $variant:ident $name:literal $means:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum $type {
            $(#[doc = $means] $variant,)*
        }

        impl $type {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it is, for the documentation.
            pub(crate) fn means(self) -> &'static str {
                match self {
                    $(Self::$variant => $means,)*
                }
            }
        }
    };
}

names! {
    /// What a program is doing when a fault strikes.
    Phase:
    Connect "connect" "a connection is opened: the fault strikes before or in the server's greeting",
    Login "login" "the server is asked to log the user in",
    Prepare "prepare" "an autocommit write is prepared",
    Write "write" "a prepared autocommit write is executed",
    InTransaction "in_transaction" "the second statement of a transaction is run",
    Commit "commit" "`COMMIT` is sent",
    Idle "idle" "a connection lies idle in the pool; its next use, an autocommit write, begins with a probe",
    Rows "rows" "the rows of an answer are on their way",
}

names! {
    /// What happens to the network or the server.
    Fault:
    Refused "refused" "the connection is accepted and closed",
    Delayed "delayed" "the answer comes late, within the limits",
    BlackHoled "black_holed" "nothing arrives any more, in either direction, and the connection stays open",
    Withheld "answer_black_holed" "the request arrives and is done; nothing comes back, and the connection stays open",
    CutBefore "cut_before_request" "the connection is cut before the request arrives",
    CutInRequest "cut_in_request" "the connection is cut after the n-th byte of the request",
    CutInAnswer "cut_in_answer" "the connection is cut after the n-th byte of the answer",
    AnswerDropped "answer_dropped" "the request is done, and the connection is cut before the first byte of the answer",
    Sliced "sliced" "every byte comes by itself",
    Conflict "error_conflict" "the server answers with error 9007, a write conflict",
    ShuttingDown "error_shutdown" "the server answers with error 1053: it shuts down",
    OtherError "error_other" "the server answers with error 1105 and a text that nobody knows",
    Garbage "garbage" "the answer is a packet of random bytes with a wrong number",
    Oversized "oversized" "the answer announces a packet of 16 MiB that does not come",
    LocalInfile "local_infile" "the answer asks for a file of the client's",
    ClearText "clear_text" "the answer asks for the password in clear text",
}

/// What must come of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The call succeeds, and its change is applied once.
    Succeeds,
    /// The closure's own error comes back, and nothing is applied.
    Aborts,
    /// The call fails in this way, and its change is applied or not.
    Fails(ErrorKind, Outcome, Applied),
    /// The fault does not apply, and why.
    Excused(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    Yes,
    No,
}

/// A cell in which a driver is known to do something else than the others.
pub(crate) struct Difference {
    pub(crate) drivers: &'static [&'static str],
    pub(crate) phases: &'static [Phase],
    pub(crate) fault: Fault,
    pub(crate) expected: Expected,
    pub(crate) reason: &'static str,
}

/// All of them. Each is checked as strictly as the table itself.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        drivers: &["sqlx"],
        phases: &[Phase::Write, Phase::Commit],
        fault: Fault::Garbage,
        expected: Expected::Fails(ErrorKind::ConnectionLost, Outcome::Unknown, Applied::No),
        reason: "the driver does not look at a packet's number, and takes random bytes for a count of columns: what it \
            sees is the end that follows",
    },
    Difference {
        drivers: &["sqlx"],
        phases: &[Phase::InTransaction],
        fault: Fault::Garbage,
        expected: Expected::Succeeds,
        reason: "as above; a lost connection is worth another attempt",
    },
    Difference {
        drivers: &["sqlx"],
        phases: &[Phase::Write, Phase::Commit],
        fault: Fault::LocalInfile,
        expected: Expected::Fails(ErrorKind::TimedOut, Outcome::Unknown, Applied::No),
        reason: "the driver does not know the request, takes it for a count of columns, and waits for them",
    },
    Difference {
        drivers: &["sqlx"],
        phases: &[Phase::InTransaction],
        fault: Fault::LocalInfile,
        expected: Expected::Fails(ErrorKind::TimedOut, Outcome::Retryable, Applied::No),
        reason: "as above",
    },
    Difference {
        drivers: &["mysql", "mysql_async"],
        phases: &[Phase::Connect, Phase::Login],
        fault: Fault::Oversized,
        expected: Expected::Fails(ErrorKind::Protocol, Outcome::Retryable, Applied::No),
        reason: "before the login is over, the driver takes no packet above 4 MiB, and says so at once",
    },
    Difference {
        drivers: &["mysql", "mysql_async"],
        phases: &[Phase::Idle],
        fault: Fault::LocalInfile,
        expected: Expected::Fails(ErrorKind::TimedOut, Outcome::Unknown, Applied::No),
        reason: "the driver takes any packet but an error for the answer to a ping, so that the connection is handed out",
    },
];

impl Difference {
    /// The one of a driver in a cell.
    pub(crate) fn of(driver: &str, phase: Phase, fault: Fault) -> Option<&'static Self> {
        let here = |it: &&Self| it.drivers.contains(&driver) && it.phases.contains(&phase) && it.fault == fault;
        DIFFERENCES.iter().find(here)
    }
}

/// The table, as far as all drivers are alike.
pub(crate) fn expected(phase: Phase, fault: Fault) -> Expected {
    use Applied::{No, Yes};
    use ErrorKind::{AccessDenied, Conflict, ConnectionLost, Database, Protocol, TimedOut, Unavailable};
    use Expected::{Aborts, Excused, Fails, Succeeds};
    use Outcome::{Final, Retryable, Unknown};

    match (phase, fault) {
        // Where a fault means nothing.
        (Phase::Connect | Phase::Idle, Fault::Refused) => Fails(Protocol, Retryable, No),
        (_, Fault::Refused) => Excused("the connection is open already; `idle` has the one that replaces it"),
        (Phase::Connect, Fault::CutBefore | Fault::CutInRequest) => {
            Excused("a client waits for the greeting before it sends anything")
        }
        (Phase::Connect | Phase::Login, Fault::Conflict) => Excused("no statement that could conflict has been sent"),
        (Phase::Connect, Fault::LocalInfile) => Excused("a greeting cannot ask for a file"),
        (Phase::Login, Fault::ClearText) => Fails(AccessDenied, Final, No),
        (_, Fault::ClearText) => Excused("a password is asked for in answer to a login only"),
        (Phase::Rows, Fault::CutBefore | Fault::CutInRequest | Fault::AnswerDropped) => {
            Excused("the first rows have come already")
        }
        (Phase::Rows, Fault::Withheld) => Excused("`black_holed` is the same here: the answer has begun"),
        (Phase::Rows, Fault::LocalInfile) => Excused("a file is asked for in place of rows, not among them"),

        // What nobody may notice.
        (_, Fault::Delayed | Fault::Sliced) => Succeeds,

        // No connection: what a peer that breaks off or talks nonsense is cannot be told.
        (Phase::Connect | Phase::Login, Fault::BlackHoled | Fault::Withheld | Fault::Oversized) => {
            Fails(TimedOut, Retryable, No)
        }
        (Phase::Connect | Phase::Login, Fault::ShuttingDown) => Fails(Unavailable, Retryable, No),
        (Phase::Connect | Phase::Login, Fault::OtherError) => Fails(Database, Final, No),
        (Phase::Connect | Phase::Login, _) => Fails(Protocol, Retryable, No),

        // A statement that commits by itself. That a statement which is still being prepared has changed nothing, a
        // driver does not say: the outcome is the careful one.
        (Phase::Prepare | Phase::Write, Fault::Conflict) => Succeeds,
        (Phase::Prepare | Phase::Write | Phase::Commit, Fault::ShuttingDown) => Fails(Unavailable, Unknown, No),
        (Phase::Prepare | Phase::Write | Phase::Commit, Fault::OtherError) => Fails(Database, Unknown, No),
        (Phase::Prepare | Phase::Write | Phase::Commit, Fault::Garbage | Fault::LocalInfile) => {
            Fails(Protocol, Unknown, No)
        }
        (Phase::Prepare | Phase::Write | Phase::Commit, Fault::BlackHoled | Fault::Oversized) => {
            Fails(TimedOut, Unknown, No)
        }
        (Phase::Prepare | Phase::Write | Phase::Commit, Fault::CutBefore | Fault::CutInRequest) => {
            Fails(ConnectionLost, Unknown, No)
        }
        (Phase::Prepare, Fault::Withheld) => Fails(TimedOut, Unknown, No),
        (Phase::Prepare, Fault::CutInAnswer | Fault::AnswerDropped) => Fails(ConnectionLost, Unknown, No),
        (Phase::Write | Phase::Commit, Fault::Withheld) => Fails(TimedOut, Unknown, Yes),
        (Phase::Write | Phase::Commit, Fault::CutInAnswer | Fault::AnswerDropped) => {
            Fails(ConnectionLost, Unknown, Yes)
        }
        (Phase::Commit, Fault::Conflict) => Succeeds,

        // The server rolls back, and the transaction is retried where another attempt may help. After a time-out it is not:
        // the statement may still run on the server.
        (Phase::InTransaction, Fault::BlackHoled | Fault::Withheld | Fault::Oversized) => {
            Fails(TimedOut, Retryable, No)
        }
        (Phase::InTransaction, Fault::Garbage | Fault::LocalInfile | Fault::OtherError) => Aborts,
        (Phase::InTransaction, _) => Succeeds,

        // The probe fails, and another connection takes its place while time is left.
        (Phase::Idle, _) => Succeeds,

        // A statement that changes nothing.
        (Phase::Rows, Fault::BlackHoled | Fault::Oversized) => Fails(TimedOut, Retryable, No),
        (Phase::Rows, Fault::CutInAnswer) => Fails(ConnectionLost, Retryable, No),
        (Phase::Rows, Fault::Conflict) => Fails(Conflict, Retryable, No),
        (Phase::Rows, Fault::ShuttingDown) => Fails(Unavailable, Retryable, No),
        (Phase::Rows, Fault::OtherError) => Fails(Database, Final, No),
        (Phase::Rows, Fault::Garbage) => Fails(Protocol, Final, No),
    }
}

impl Phase {
    /// Whether the program changes data.
    pub(crate) fn writes(self) -> bool {
        !matches!(self, Self::Connect | Self::Login | Self::Rows)
    }

    fn point(self) -> Point {
        match self {
            Self::Connect => Point::Connect,
            Self::Login => Point::Login,
            Self::Prepare => Point::statement(sql::TRADE),
            Self::Write | Self::Rows => Point::Command(CommandKind::Execute),
            Self::InTransaction => Point::statement(SECOND),
            Self::Commit => Point::statement("COMMIT"),
            Self::Idle => Point::Command(CommandKind::Ping),
        }
    }
}

impl Fault {
    /// Whether a driver may wait for a limit before it notices, or the fault itself takes its time.
    pub(crate) fn may_take_the_limit(self) -> bool {
        matches!(self, Self::BlackHoled | Self::Withheld | Self::Oversized | Self::LocalInfile | Self::Sliced)
    }

    /// The fault as the proxy knows it, and where it strikes.
    pub(crate) fn at(self, phase: Phase, rng: &mut Rng) -> (Point, wire::Fault) {
        use wire::Fault::{AfterAnswer, AfterRequest, Delay, Slice};

        let point = if self == Self::Refused { Point::Connect } else { phase.point() };
        let in_rows = (phase == Phase::Rows).then(|| rng.u64(IN_THE_ROWS));
        let instead = |answer| match in_rows {
            Some(after) => AfterAnswer(after, answer),
            None => AfterRequest(0, answer),
        };
        // A ping is 5 bytes long, and no other request shorter than `COMMIT`; no answer is shorter than an OK.
        let in_request = if phase == Phase::Idle { 1..5 } else { 1..11 };
        let fault = match self {
            Self::Refused | Self::CutBefore => AfterRequest(0, Answer::Close),
            Self::Delayed => Delay(in_rows.unwrap_or_default(), DELAY),
            Self::BlackHoled => instead(Answer::Silence),
            Self::Withheld => AfterAnswer(0, Answer::Silence),
            Self::CutInRequest => AfterRequest(rng.u64(in_request), Answer::Close),
            Self::CutInAnswer => AfterAnswer(in_rows.unwrap_or_else(|| rng.u64(1..11)), Answer::Close),
            Self::AnswerDropped => AfterAnswer(0, Answer::Close),
            Self::Sliced => Slice,
            Self::Conflict => instead(Answer::Error(CONFLICT)),
            Self::ShuttingDown => instead(Answer::Error(refusals::SHUTTING_DOWN)),
            Self::OtherError => instead(Answer::Error(OTHER)),
            Self::Garbage => instead(Answer::Bytes(garbage(rng).into(), Then::Close)),
            Self::Oversized => instead(Answer::Header(0xff_ffff)),
            Self::LocalInfile => instead(Answer::LocalInfile("/etc/hostname".into())),
            Self::ClearText => instead(Answer::AuthSwitch("mysql_clear_password".into())),
        };
        (point, fault)
    }
}

const CONFLICT: Refusal = Refusal {
    code: 9007,
    sqlstate: Some("HY000"),
    text: "Write conflict, txnStartTS=1, conflictStartTS=2, conflictCommitTS=3, key={tableID=1} [try again later]",
};

const OTHER: Refusal = Refusal { code: 1105, sqlstate: Some("HY000"), text: "a fault that was made on purpose" };

/// A packet of random bytes. Its number is one that no answer comes to, so that it cannot be one by chance.
fn garbage(rng: &mut Rng) -> Vec<u8> {
    let len = rng.u8(16..48);
    // Nor is its first byte that of an OK, an error, an end, or a request.
    let header = [len, 0, 0, rng.u8(128..), rng.u8(1..=250)];
    header.into_iter().chain((1..len).map(|_| rng.u8(..))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVERS: [&str; 3] = ["sqlx", "mysql", "mysql_async"];

    fn cells() -> impl Iterator<Item = (Phase, Fault, Expected)> {
        let pairs = Phase::ALL.iter().flat_map(|&phase| Fault::ALL.iter().map(move |&fault| (phase, fault)));
        pairs.map(|(phase, fault)| (phase, fault, expected(phase, fault)))
    }

    #[test]
    fn what_is_applied_is_never_said_to_be_not() {
        let others = DIFFERENCES.iter().flat_map(|it| it.phases.iter().map(|&phase| (phase, it.fault, it.expected)));
        for (phase, fault, expected) in cells().chain(others) {
            if let Expected::Fails(_, outcome, Applied::Yes) = expected {
                assert_eq!(outcome, Outcome::Unknown, "{phase:?} {fault:?}");
                assert!(phase.writes(), "{phase:?} {fault:?}");
            }
        }
    }

    #[test]
    fn every_fault_and_every_phase_is_met_somewhere() {
        let met: Vec<_> = cells().filter(|(.., expected)| !matches!(expected, Expected::Excused(_))).collect();
        assert!(Phase::ALL.iter().all(|phase| met.iter().any(|(met, ..)| met == phase)));
        assert!(Fault::ALL.iter().all(|fault| met.iter().any(|(_, met, _)| met == fault)));
    }

    #[test]
    fn a_difference_is_one() {
        for difference in DIFFERENCES {
            assert!(difference.drivers.iter().all(|driver| DRIVERS.contains(driver)) && !difference.reason.is_empty());
            for &phase in difference.phases {
                let usual = expected(phase, difference.fault);
                assert!(usual != difference.expected && !matches!(usual, Expected::Excused(_)), "{phase:?}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_faults() {
        for (phase, fault, _) in cells() {
            let at = || fault.at(phase, &mut Rng::with_seed(7));
            assert_eq!(at(), at());
        }
    }
}
