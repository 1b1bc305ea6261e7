//! What a failure means for the data: the two axes of [`Error`](crate::Error), and the table behind them.

use crate::{
    ErrorKind::{self, Conflict},
    ServerError,
    codes::{ROWS, TEXTS},
};
use Outcome::{Final, Retryable, Unknown};

/// What holds for the data after a failed call. There will be no fourth: a `match` may name all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing was applied, and the same call may succeed when it is made again.
    Retryable,
    /// Nothing was applied, and the same call would fail again.
    Final,
    /// The change may or may not have been applied: look before you call again.
    ///
    /// TiDB sends no error packet for a commit whose result it does not know; it closes the connection
    /// (`pkg/server/conn.go`, "result undetermined, close this connection"). So whatever cuts the connection
    /// once a commit or an autocommit write has left has this outcome, and is never retried by this workspace.
    Unknown,
}

/// How far a call had come when it failed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Opening a connection: no statement had been sent.
    Connect,
    /// A statement that changes nothing.
    Read,
    /// A statement inside an explicit transaction, which the server rolls back when the connection ends.
    Transaction,
    /// `COMMIT` of an explicit transaction.
    Commit,
    /// A statement that changes data and commits by itself.
    Write,
    /// Several statements in one call that each commit by itself, such as a driver's `exec_batch`. Those before the one
    /// that failed may have been applied, so that every error of the call leaves its outcome unknown.
    Batch,
}

impl Phase {
    /// Whether a statement of this phase makes a change permanent.
    pub(crate) const fn commits(self) -> bool {
        matches!(self, Self::Commit | Self::Write | Self::Batch)
    }
}

/// What an error packet leaves of the transaction that the statement ran in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// The transaction is open, as it was before the statement.
    Open,
    /// The server has rolled the transaction back: a further statement would commit by itself.
    RolledBack,
    /// The server closes the connection, and rolls back with it.
    Closed,
}

/// One row of the server-code table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) code: u16,
    pub(crate) kind: ErrorKind,
    /// The outcome before anything is made permanent.
    pub(crate) before: Outcome,
    /// The outcome at `COMMIT` and of an autocommit write.
    pub(crate) commit: Outcome,
    pub(crate) leaves: Leaves,
}

impl Row {
    pub(crate) const fn rolls_back(self) -> Self {
        Self { leaves: Leaves::RolledBack, ..self }
    }

    pub(crate) const fn closes(self) -> Self {
        Self { leaves: Leaves::Closed, ..self }
    }
}

pub(crate) const fn row(code: u16, kind: ErrorKind, before: Outcome, commit: Outcome) -> Row {
    Row { code, kind, before, commit, leaves: Leaves::Open }
}

/// A statement that was prepared before its table changed can no longer be run; the text has the reason with a code of
/// its own: `Schema change caused error: [schema:1146]Table 'test.players' doesn't exist`.
///
/// Source: `pkg/planner/core/plan_cache.go` of TiDB v8.5.
pub(crate) const SCHEMA_CHANGED: u16 = 8113;

/// With `tidb_constraint_check_in_place_pessimistic = OFF`, TiDB rolls the whole transaction back whatever error a
/// statement meets, and reports this; the text has the reason with a code of its own: `… and an error occurred:
/// [executor:1213]Deadlock found …`.
///
/// Source: `pkg/executor/adapter.go` of TiDB v8.5.
pub(crate) const LAZY_CHECK_ABORTED: u16 = 8147;

/// The code and the text of the reason that is part of an error's text.
fn reason(text: &str) -> Option<(u16, &str)> {
    let (class, text) = text.split_once('[')?.1.split_once(']')?;
    Some((class.split_once(':')?.1.parse().ok()?, text))
}

/// The row for an error that has no further reason in its text; by default the server refused the statement, for good.
fn plain(code: u16, text: &str) -> Row {
    if let Some((_, row)) = TEXTS.iter().find(|(part, row)| row.code == code && text.contains(part)) {
        return *row;
    }
    ROWS.iter().find(|row| row.code == code).copied().unwrap_or(row(code, ErrorKind::Database, Final, Final))
}

/// The row for an error packet. Of a reason within a reason only the first counts, so that no text makes this recurse.
fn find(code: u16, text: &str) -> Row {
    match (code, reason(text)) {
        (SCHEMA_CHANGED, Some((code, text))) => plain(code, text),
        (LAZY_CHECK_ABORTED, Some((code, text))) => plain(code, text).rolls_back(),
        // A duplicate would fail again, which the attempts bound.
        (LAZY_CHECK_ABORTED, None) => row(code, Conflict, Retryable, Retryable).rolls_back(),
        _ => plain(code, text),
    }
}

/// What the server's error `code`, with its `text`, means in `phase`.
///
/// Pure: the same arguments give the same answer, whichever driver reported the error.
///
/// ```
/// use tidb_connect_core::{ErrorKind, Outcome, Phase, classify};
///
/// assert_eq!(classify(9007, "Write conflict", Phase::Commit), (ErrorKind::Conflict, Outcome::Retryable));
/// assert_eq!(classify(9002, "TiKV server timeout", Phase::Transaction), (ErrorKind::Unavailable, Outcome::Retryable));
/// assert_eq!(classify(9002, "TiKV server timeout", Phase::Commit), (ErrorKind::Unavailable, Outcome::Unknown));
/// ```
#[must_use]
pub fn classify(code: u16, text: &str, phase: Phase) -> (ErrorKind, Outcome) {
    let row = find(code, text);
    let outcome = match phase {
        Phase::Batch => Unknown,
        phase if phase.commits() => row.commit,
        _ => row.before,
    };
    (row.kind, outcome)
}

/// Whether the server has rolled back the transaction that the statement ran in, or ends it with the connection.
pub(crate) fn ends_transaction(error: &ServerError) -> bool {
    find(error.code, &error.message).leaves != Leaves::Open || ends_connection(error)
}

/// Whether the server closes the connection after this error. SQLSTATE class 08 is "connection exception".
pub(crate) fn ends_connection(error: &ServerError) -> bool {
    find(error.code, &error.message).leaves == Leaves::Closed || error.sqlstate.starts_with("08")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind::*;

    #[test]
    fn what_a_code_leaves_of_transaction_and_connection_is_known() {
        let of = |code| ServerError::new(code, "HY000", "");
        for code in [1205, 1213, 1020, 1206, 1613, 1614, 3101, 8229, 8147] {
            assert!(ends_transaction(&of(code)) && !ends_connection(&of(code)), "{code}");
        }
        for code in [1053, 1153, 1927, 3169, 4031, 3032, 1158, 1160] {
            assert!(ends_transaction(&of(code)) && ends_connection(&of(code)), "{code}");
        }
        for code in [1062, 1264, 1317, 3024, 3572, 8028, 8175, 9002, 9007, 1105, 1064] {
            assert!(!ends_transaction(&of(code)), "{code}");
        }
    }

    #[test]
    fn the_text_of_1105_decides() {
        let insecure = "Connections using insecure transport are prohibited. See https://docs.pingcap.com/…";
        assert_eq!(classify(1105, insecure, Phase::Connect), (Tls, Final));
        assert_eq!(classify(1105, "pessimistic lock retry limit reached", Phase::Write), (Conflict, Retryable));
        assert_eq!(classify(1105, "anything else", Phase::Write), (ErrorKind::Database, Unknown));
    }

    #[test]
    fn the_reason_decides_where_a_prepared_statement_no_longer_fits() {
        let said = "Schema change caused error: [schema:1146]Table 'test.players' doesn't exist";
        assert_eq!(classify(8113, said, Phase::Write), (TableMissing, Final));
        let said = "Schema change caused error: [planner:1054]Unknown column 'coins' in 'field list'";
        assert_eq!(classify(8113, said, Phase::Read), (ErrorKind::Database, Final));
        assert_eq!(classify(8113, "Schema change caused error: [8113] []", Phase::Read), (ErrorKind::Database, Final));
    }

    #[test]
    fn an_aborted_lazy_check_has_rolled_back_whatever_its_reason() {
        let said = |reason: &str| {
            format!("transaction aborted because lazy uniqueness check is enabled and an error occurred: {reason}")
        };
        for (reason, expected) in [
            ("[executor:1213]Deadlock found when trying to get lock", (Conflict, Retryable)),
            ("[kv:1062]Duplicate entry '1' for key 't.PRIMARY'", (AlreadyExists, Final)),
            ("[types:1264]Out of range value for column 'a' at row 1", (OutOfRange, Final)),
            ("[planner:1054]Unknown column", (ErrorKind::Database, Final)),
            ("something without a code", (Conflict, Retryable)),
        ] {
            let error = ServerError::new(8147, "HY000", said(reason));
            assert_eq!(classify(8147, &error.message, Phase::Transaction), expected, "{reason}");
            assert!(ends_transaction(&error) && !ends_connection(&error), "{reason}");
        }
    }

    #[test]
    fn a_reason_within_a_reason_does_not_recurse() {
        let nested = "[a:8113]".repeat(1 << 18);
        for code in [8113, 8147, 1105] {
            assert_eq!(classify(code, &nested, Phase::Read), (ErrorKind::Database, Final), "{code}");
        }
    }

    #[test]
    fn connection_exceptions_end_the_connection_whatever_their_code() {
        assert!(ends_connection(&ServerError::new(1158, "08S01", "")));
        assert!(ends_transaction(&ServerError::new(9999, "08001", "")));
        assert!(!ends_connection(&ServerError::new(1062, "23000", "")));
        for code in [1053, 1153, 1927] {
            assert!(ends_connection(&ServerError::new(code, "HY000", "")), "{code}");
        }
    }

    #[test]
    fn no_error_of_a_batch_says_that_nothing_was_applied() {
        for row in ROWS {
            assert_eq!(classify(row.code, "", Phase::Batch).1, Unknown, "{}", row.code);
        }
    }

    #[test]
    fn an_unlisted_code_is_final() {
        assert_eq!(classify(1064, "syntax", Phase::Write), (ErrorKind::Database, Final));
    }
}
