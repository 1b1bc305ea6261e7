//! What a failure means for the data: the two axes of [`Error`](crate::Error), and the table behind them.

use crate::{ErrorKind, ServerError};

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
enum Leaves {
    /// The transaction is open, as it was before the statement.
    Open,
    /// The server has rolled the transaction back: a further statement would commit by itself.
    RolledBack,
    /// The server closes the connection, and rolls back with it.
    Closed,
}

/// One row of the server-code table.
#[derive(Clone, Copy)]
struct Row {
    code: u16,
    kind: ErrorKind,
    /// The outcome before anything is made permanent.
    before: Outcome,
    /// The outcome at `COMMIT` and of an autocommit write.
    commit: Outcome,
    leaves: Leaves,
}

impl Row {
    const fn rolls_back(self) -> Self {
        Self { leaves: Leaves::RolledBack, ..self }
    }

    const fn closes(self) -> Self {
        Self { leaves: Leaves::Closed, ..self }
    }
}

const fn row(code: u16, kind: ErrorKind, before: Outcome, commit: Outcome) -> Row {
    Row { code, kind, before, commit, leaves: Leaves::Open }
}

use ErrorKind::{
    AccessDenied, AlreadyExists, Conflict, ConnectionLost, Database, LimitExceeded, OutOfRange, PermissionDenied,
    TableExists, TableMissing, TimedOut, Tls, TooManyConnections, Unavailable, UnknownDatabase,
};
use Outcome::{Final, Retryable, Unknown};

/// Server codes with a meaning of their own. Any other code is [`ErrorKind::Database`] and final, and leaves the transaction
/// open: `codes.txt` lists those of TiDB v8.5 and MariaDB 10.11 that were looked at and left at that.
///
/// In doubt whether a commit may have been applied, the outcome there is unknown.
///
/// Sources: `docs` is TiDB's error-codes.md and dev-guide-transaction-troubleshoot.md, `src` is
/// `pkg/errno/errname.go`, `pkg/session`, `pkg/server/conn.go` and `pkg/util/dbutil/retry.go` of TiDB v8.5, `mysql` is the
/// MySQL manual, `mariadb` the error list of MariaDB 10.11.
const ROWS: &[Row] = &[
    // mysql: the server refuses another connection, or this user's.
    row(1040, TooManyConnections, Retryable, Retryable),
    row(1203, TooManyConnections, Retryable, Retryable),
    row(1226, TooManyConnections, Retryable, Retryable),
    // mysql: the server has blocked this machine after too many broken logins, until FLUSH HOSTS.
    row(1129, TooManyConnections, Final, Final),
    // mysql: login; a user that must use TLS and does not gets 1045 from TiDB as well (src).
    row(1045, AccessDenied, Final, Final),
    row(1698, AccessDenied, Final, Final),
    row(1873, AccessDenied, Final, Final),
    // mysql: the server wants a login by a method that the client cannot do.
    row(1251, AccessDenied, Final, Final),
    row(1275, AccessDenied, Final, Final),
    // mysql: this machine may not connect; the account is locked (MariaDB: 4150, 4151), blocked after wrong passwords, or has
    // a password that has expired.
    row(1130, AccessDenied, Final, Final),
    row(3118, AccessDenied, Final, Final),
    row(4150, AccessDenied, Final, Final),
    row(4151, AccessDenied, Final, Final),
    row(3955, AccessDenied, Final, Final),
    row(1820, AccessDenied, Final, Final),
    row(1862, AccessDenied, Final, Final),
    row(1049, UnknownDatabase, Final, Final),
    // mysql: privileges on a database, a table, a column, a routine, another's connection, or SUPER and the like.
    row(1044, PermissionDenied, Final, Final),
    row(1095, PermissionDenied, Final, Final),
    row(1142, PermissionDenied, Final, Final),
    row(1143, PermissionDenied, Final, Final),
    row(1227, PermissionDenied, Final, Final),
    row(1370, PermissionDenied, Final, Final),
    row(1410, PermissionDenied, Final, Final),
    row(1979, PermissionDenied, Final, Final),
    row(8121, PermissionDenied, Final, Final),
    row(1050, TableExists, Final, Final),
    row(1051, TableMissing, Final, Final),
    row(1146, TableMissing, Final, Final),
    row(1932, TableMissing, Final, Final),
    // mysql: a unique value that is there already, however it is named.
    row(1022, AlreadyExists, Final, Final),
    row(1062, AlreadyExists, Final, Final),
    row(1169, AlreadyExists, Final, Final),
    row(1586, AlreadyExists, Final, Final),
    row(1859, AlreadyExists, Final, Final),
    // mysql: a number, a text or a time that does not fit its column.
    row(1264, OutOfRange, Final, Final),
    row(1265, OutOfRange, Final, Final),
    row(1292, OutOfRange, Final, Final),
    row(1366, OutOfRange, Final, Final),
    row(1406, OutOfRange, Final, Final),
    row(1441, OutOfRange, Final, Final),
    row(1690, OutOfRange, Final, Final),
    // src: require_secure_transport on a self-managed server.
    row(3159, Tls, Final, Final),
    // mysql and src: a node that shuts down or is taken out of service; the client then finds the connection closed.
    row(1053, Unavailable, Retryable, Unknown).closes(),
    row(1077, Unavailable, Retryable, Unknown).closes(),
    row(1079, Unavailable, Retryable, Unknown).closes(),
    row(3032, Unavailable, Retryable, Unknown).closes(),
    // mysql and mariadb: the server ends the connection: killed, idle for too long, or broken on its side.
    row(1080, ConnectionLost, Retryable, Unknown).closes(),
    row(1152, ConnectionLost, Retryable, Unknown).closes(),
    row(1158, ConnectionLost, Retryable, Unknown).closes(),
    row(1159, ConnectionLost, Retryable, Unknown).closes(),
    row(1160, ConnectionLost, Retryable, Unknown).closes(),
    row(1161, ConnectionLost, Retryable, Unknown).closes(),
    row(1184, ConnectionLost, Retryable, Unknown).closes(),
    row(1927, ConnectionLost, Retryable, Unknown).closes(),
    row(3169, ConnectionLost, Retryable, Unknown).closes(),
    row(4031, ConnectionLost, Retryable, Unknown).closes(),
    // mariadb: a node of a cluster that has not caught up yet.
    row(1047, Unavailable, Retryable, Retryable),
    // mysql: the lock wait ended the statement, the deadlock the whole transaction; both are rolled back first.
    row(1205, Conflict, Retryable, Retryable),
    row(1213, Conflict, Retryable, Retryable).rolls_back(),
    // mysql: the same of a transaction that spans several servers.
    row(1402, Conflict, Final, Final).rolls_back(),
    row(1613, Conflict, Retryable, Retryable).rolls_back(),
    row(1614, Conflict, Retryable, Retryable).rolls_back(),
    // mysql: group replication found the conflict at COMMIT.
    row(3101, Conflict, Retryable, Retryable).rolls_back(),
    // mariadb: with innodb_snapshot_isolation, a row has changed since the transaction began.
    row(1020, Conflict, Retryable, Retryable).rolls_back(),
    // mariadb: a commit on which this one depends has failed.
    row(1964, Conflict, Retryable, Unknown),
    row(4060, Conflict, Final, Final).rolls_back(),
    // mysql: the table was changed by DDL meanwhile; "please retry transaction", or a lock wait that gave way to it.
    row(1412, Conflict, Retryable, Retryable),
    row(1615, Conflict, Retryable, Retryable),
    row(1689, Conflict, Retryable, Retryable),
    // mysql: the caller asked not to wait for a lock.
    row(3572, Conflict, Final, Final),
    // docs: "the application can safely retry the whole transaction".
    row(8002, Conflict, Retryable, Retryable),
    row(8022, Conflict, Retryable, Retryable),
    row(8028, Conflict, Retryable, Retryable),
    row(9007, Conflict, Retryable, Retryable),
    // docs: "retry the write"; src marks it "[try again later]".
    row(8005, Conflict, Retryable, Retryable),
    // src: dbutil retries these after a schema change.
    row(8027, Conflict, Retryable, Retryable),
    row(8245, Conflict, Retryable, Retryable),
    // src: the session has lost its transaction.
    row(8024, Conflict, Final, Unknown).rolls_back(),
    // docs: PD or TiKV was slow or busy. A time-out while committing leaves the commit open, so it is not retried there
    // (src: dbutil leaves 9002 and 9005 out for that reason).
    row(8120, Unavailable, Retryable, Unknown),
    row(8251, Unavailable, Retryable, Unknown),
    row(9001, Unavailable, Retryable, Unknown),
    row(9002, Unavailable, Retryable, Unknown),
    row(9003, Unavailable, Retryable, Retryable),
    row(9004, Unavailable, Retryable, Retryable),
    row(9005, Unavailable, Retryable, Unknown),
    row(9008, Unavailable, Retryable, Unknown),
    row(9010, Unavailable, Retryable, Unknown),
    row(9011, Unavailable, Retryable, Unknown),
    row(9012, Unavailable, Retryable, Unknown),
    row(9013, Unavailable, Retryable, Retryable),
    row(9014, Unavailable, Retryable, Retryable),
    // mysql: "got temporary error" of a storage engine, and too many transactions at once.
    row(1297, Unavailable, Retryable, Unknown),
    row(1637, Unavailable, Retryable, Retryable),
    // mysql and mariadb: the server stopped the statement at its own limit. TiDB limits a SELECT only, MariaDB any statement.
    row(3024, TimedOut, Retryable, Retryable),
    row(1969, TimedOut, Retryable, Unknown),
    // docs: a transaction that has held its locks for too long must end.
    row(8229, LimitExceeded, Final, Unknown).rolls_back(),
    // mysql: the table of locks is full, after which InnoDB rolls the whole transaction back.
    row(1206, LimitExceeded, Final, Final).rolls_back(),
    // docs and src: memory quota, transaction, entry, key and packet sizes: the same statement fails again. After a packet
    // that is too large the server closes the connection.
    row(1153, LimitExceeded, Final, Final).closes(),
    row(1037, LimitExceeded, Final, Final),
    row(1038, LimitExceeded, Final, Final),
    row(1041, LimitExceeded, Final, Final),
    row(1114, LimitExceeded, Final, Final),
    row(1197, LimitExceeded, Final, Final),
    row(1390, LimitExceeded, Final, Final),
    row(1461, LimitExceeded, Final, Final),
    row(8001, LimitExceeded, Final, Final),
    row(8004, LimitExceeded, Final, Final),
    row(8025, LimitExceeded, Final, Final),
    row(8175, LimitExceeded, Final, Final),
    row(8176, LimitExceeded, Final, Final),
    row(8178, LimitExceeded, Final, Final),
    row(8180, LimitExceeded, Final, Final),
    row(8253, LimitExceeded, Final, Final),
    row(8254, LimitExceeded, Final, Final),
    row(8252, LimitExceeded, Retryable, Unknown),
    // docs: a part of these has been applied: `BATCH …` commits job by job, and a batched INSERT batch by batch.
    row(8119, Database, Unknown, Unknown),
    row(8143, Database, Unknown, Unknown),
    // mysql and mariadb: the commit itself failed, or a rollback kept what was not transactional.
    row(1180, Database, Final, Unknown),
    row(4173, Database, Unknown, Unknown),
];

/// Where TiDB and TiDB Cloud's gateway have no code of their own they send 1105, and the text decides.
///
/// Sources: `tidb.md` of the facts behind this project for the gateway's texts; the lock text was measured on v8.5.3.
const TEXTS_OF_1105: &[(&str, ErrorKind, Outcome, Outcome)] = &[
    ("pessimistic lock retry limit reached", Conflict, Retryable, Retryable),
    ("Information schema is changed", Conflict, Retryable, Retryable),
    ("Information schema is out of date", Conflict, Retryable, Retryable),
    ("insecure transport are prohibited", Tls, Final, Final),
    ("Missing user name prefix", AccessDenied, Final, Final),
    ("Access denied", AccessDenied, Final, Final),
    ("Connection limit exceeded", TooManyConnections, Retryable, Retryable),
    ("usage quota being exhausted", LimitExceeded, Final, Final),
    // `pkg/parser/terror/terror.go` of TiDB v8.5; the server closes the connection instead, which a proxy may hide.
    ("execution result undetermined", Database, Unknown, Unknown),
    ("context canceled", Unavailable, Retryable, Unknown),
    ("context deadline exceeded", Unavailable, Retryable, Unknown),
];

/// A statement that was prepared before its table changed can no longer be run; the text has the reason with a code of
/// its own: `Schema change caused error: [schema:1146]Table 'test.players' doesn't exist`.
///
/// Source: `pkg/planner/core/plan_cache.go` of TiDB v8.5.
const SCHEMA_CHANGED: u16 = 8113;

/// With `tidb_constraint_check_in_place_pessimistic = OFF`, TiDB rolls the whole transaction back whatever error a
/// statement meets, and reports this; the text has the reason with a code of its own: `… and an error occurred:
/// [executor:1213]Deadlock found …`.
///
/// Source: `pkg/executor/adapter.go` of TiDB v8.5.
const LAZY_CHECK_ABORTED: u16 = 8147;

/// The code and the text of the reason that is part of an error's text.
fn reason(text: &str) -> Option<(u16, &str)> {
    let (class, text) = text.split_once('[')?.1.split_once(']')?;
    Some((class.split_once(':')?.1.parse().ok()?, text))
}

/// The row for an error that has no further reason in its text; by default the server refused the statement, for good.
fn plain(code: u16, text: &str) -> Row {
    if code == 1105 {
        let known = TEXTS_OF_1105.iter().find(|(part, ..)| text.contains(part));
        return known.map_or(row(code, ErrorKind::Database, Final, Final), |&(_, kind, before, commit)| {
            row(code, kind, before, commit)
        });
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

    /// Codes of TiDB v8.5 (`t`) and MariaDB 10.11 (`m`) that were looked at and left at the default.
    const REVIEWED: &str = include_str!("codes.txt");

    #[test]
    fn every_code_is_in_the_table_or_in_the_list_once() {
        let listed = REVIEWED.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let code = line.split_once(' ').expect("a code, whose it is, and its name").0;
            code.parse::<u16>().expect("a number")
        });
        let listed: Vec<u16> = listed.collect();
        assert!(listed.is_sorted_by(|a, b| a < b), "sorted, and none twice");
        assert!(listed.len() > 1400, "{}", listed.len());
        let mut codes: Vec<u16> =
            ROWS.iter().map(|row| row.code).chain([1105, SCHEMA_CHANGED, LAZY_CHECK_ABORTED]).collect();
        codes.extend(listed);
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all, "a code is twice in the table, or in the table and in the list");
    }

    /// What the facts behind this project say of TiDB's codes: to be retried before a commit, and at one.
    #[test]
    fn the_table_agrees_with_what_is_known_of_tidb() {
        // "retry whole txn", whatever the phase: rolled back, or never committed.
        for code in [1205, 1213, 8002, 8005, 8022, 8027, 8028, 8245, 9007] {
            for phase in [Phase::Read, Phase::Transaction, Phase::Commit, Phase::Write] {
                assert_eq!(classify(code, "", phase), (Conflict, Retryable), "{code} in {phase:?}");
            }
        }
        // "retry with backoff if not COMMIT".
        for code in [1053, 9001, 9002, 9005, 9008, 9010, 9011, 9012] {
            assert_eq!(classify(code, "", Phase::Transaction), (Unavailable, Retryable), "{code}");
            assert_eq!(classify(code, "", Phase::Commit), (Unavailable, Unknown), "{code}");
            assert_eq!(classify(code, "", Phase::Write), (Unavailable, Unknown), "{code}");
        }
        for code in [9003, 9004, 9013] {
            assert_eq!(classify(code, "", Phase::Commit), (Unavailable, Retryable), "{code}");
        }
        // "never retry blindly".
        let never = [
            8001, 8175, 8176, 8180, 8004, 8025, 8178, 8229, 9006, 8055, 8253, 8254, 1317, 1062, 1451, 1452, 1406, 1264,
            1044, 1045, 1049, 1142, 8130, 8115, 8116, 1295, 8048, 8141, 8138, 8139, 8140, 3572, 1153, 1390, 8216, 1235,
            1305,
        ];
        for code in never {
            for phase in [Phase::Read, Phase::Transaction, Phase::Commit, Phase::Write] {
                assert_ne!(classify(code, "", phase).1, Retryable, "{code} in {phase:?}");
            }
        }
        // A part is applied.
        for code in [8119, 8143] {
            assert_eq!(classify(code, "", Phase::Write).1, Unknown, "{code}");
            assert_eq!(classify(code, "", Phase::Transaction).1, Unknown, "{code}");
        }
        assert_eq!(classify(1180, "", Phase::Commit).1, Unknown);
    }

    #[test]
    fn what_a_code_leaves_of_transaction_and_connection_is_known() {
        let of = |code| ServerError::new(code, "HY000", "");
        for code in [1213, 1020, 1206, 1613, 1614, 3101, 8229, 8147] {
            assert!(ends_transaction(&of(code)) && !ends_connection(&of(code)), "{code}");
        }
        for code in [1053, 1153, 1927, 3169, 4031, 3032, 1158, 1160] {
            assert!(ends_transaction(&of(code)) && ends_connection(&of(code)), "{code}");
        }
        for code in [1062, 1205, 1264, 1317, 3024, 3572, 8028, 8175, 9002, 9007, 1105, 1064] {
            assert!(!ends_transaction(&of(code)), "{code}");
        }
    }

    #[test]
    fn the_text_of_1105_decides() {
        let insecure = "Connections using insecure transport are prohibited. See https://docs.pingcap.com/…";
        assert_eq!(classify(1105, insecure, Phase::Connect), (Tls, Final));
        assert_eq!(classify(1105, "pessimistic lock retry limit reached", Phase::Write), (Conflict, Retryable));
        assert_eq!(classify(1105, "anything else", Phase::Write), (ErrorKind::Database, Final));
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
