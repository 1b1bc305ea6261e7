//! What we make of the answers. Everything else in a report is observed.

use serde::Serialize;

/// A step of the way to a driver.
#[derive(Serialize)]
pub(crate) struct Question {
    /// What holds for the reader's program.
    pub(crate) when: &'static str,
    /// What we would do then; none where it depends.
    pub(crate) then: Option<&'static str>,
    /// The probes that it rests on.
    pub(crate) because: &'static [&'static str],
    /// On what it depends.
    pub(crate) further: &'static [Self],
}

impl Question {
    const fn then(when: &'static str, then: &'static str, because: &'static [&'static str]) -> Self {
        Self { when, then: Some(then), because, further: &[] }
    }

    const fn further(when: &'static str, further: &'static [Self]) -> Self {
        Self { when, then: None, because: &[], further }
    }
}

/// The way to a driver.
pub(crate) const ADVICE: &[Question] = &[
    Question::further(
        "Your program has no async runtime: a command-line tool, a batch job",
        &[
            Question::then(
                "It uses one connection, or a few threads each with their own",
                "mysql. A Conn without a pool needs few settings: time-outs for reading and writing, and no Unix socket.",
                &["round_trips_to_connect", "silent_server_in_statement", "unix_socket"],
            ),
            Question::then(
                "It shares a pool between threads",
                "mysql through tidb-connect-mysql: the driver's own pool can leave callers waiting for ever, and opens ten \
             connections where a tool needs one.",
                &["broken_connection_and_waiter", "hanging_login_and_others", "pool_created"],
            ),
            Question::then(
                "It loads many rows",
                "mysql, with INSERT statements of many rows each: no driver sends a batch to TiDB in one piece.",
                &["batch_round_trips", "batch_row_fails"],
            ),
        ],
    ),
    Question::further(
        "Your program runs on tokio: a web service",
        &[
            Question::then(
                "You want queries checked while they are compiled, rows derived into structs, or migrations",
                "sqlx: the other two have none of that. Through tidb-connect-sqlx where calls can be given up, and requests in a \
             web service can: a transaction must not leak into the next request.",
                &["cancelled_during_begin", "given_up_statement_and_connection", "pipes_in_sql"],
            ),
            Question::then(
                "You write plain SQL, and every round trip counts because the database is in a cloud",
                "mysql_async, with its pool's reset switched off or through tidb-connect-mysql-async: as it comes, every \
             borrower prepares every statement again.",
                &["round_trips_per_use", "session_time_zone"],
            ),
            Question::then(
                "Callers give up while they wait for a connection: a time-out, select!, a client that hangs up",
                "sqlx, or any of the three through our crates: mysql_async's own pool can leave everybody else waiting.",
                &["waiter_given_up"],
            ),
            Question::then(
                "You have blocking code that calls the database, too",
                "mysql on tokio's blocking threads, one hop for a whole unit of work.",
                &["given_up_statement_and_server"],
            ),
        ],
    ),
    Question::further(
        "Your program is whatever it is",
        &[
            Question::then(
                "The database is reached over a network that others share",
                "Set TLS yourself: no driver verifies anything unless it is told to.",
                &["tls_nothing_set", "tls_of_an_unknown_authority", "tls_for_another_name"],
            ),
            Question::then(
                "It reads rows whose types you do not control",
                "sqlx returns errors; with the other two use the functions that end in _opt, or Row: what does not fit is a panic.",
                &["null_as_value", "unsigned_above_i64", "decimal_types"],
            ),
            Question::then(
                "Its SQL, or its data, is shared with programs through another driver",
                "Look at what each makes of the session: the same text does not mean the same.",
                &["pipes_in_sql", "session_time_zone", "session_settings", "unchanged_row_affected"],
            ),
        ],
    ),
];

/// The probes whose answers surprise people who know one of the drivers.
pub(crate) const SURPRISES: &[&str] = &[
    "unchanged_row_affected",
    "pipes_in_sql",
    "cancelled_during_begin",
    "begun_by_hand",
    "deadlock",
    "waiter_given_up",
    "file_asked_for",
    "nobody_listens",
    "tls_nothing_set",
    "settings_left_behind",
    "round_trips_per_use",
    "null_as_value",
    "zero_date",
    "time_of_many_hours",
    "password_shown",
    "table_changed_after_prepare",
    "second_statement_fails",
    "statement_of_another_connection",
];
