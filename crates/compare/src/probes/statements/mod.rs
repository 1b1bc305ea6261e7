mod batch_round_trips;
mod batch_row_fails;
mod connection_dropped_with_statements;
mod named_parameter_after_minus;
mod named_parameter_with_capital;
mod named_parameters;
mod parameter_above_max_allowed_packet;
mod parameters_65536;
mod prepared_statements_kept;
mod row_above_max_allowed_packet;
mod rows_left_unread;
mod rows_read_ahead;
mod second_statement_fails;
mod several_statements;
mod several_statements_with_parameters;
mod statement_cache_off;
mod statement_handle_kept;
mod statement_of_another_connection;
mod statement_run_twice;
mod statement_that_cannot_be_prepared;
mod statement_through_the_pool;
mod statement_without_parameters;
mod table_changed_after_prepare;
mod text_above_max_allowed_packet;
mod too_few_parameters;
mod too_many_parameters;
mod value_above_16_mib;

use std::io::ErrorKind;

use mysql::prelude::Queryable as _;
use mysql_async::prelude::Queryable as _;
use sqlx::Executor as _;
use tidb_connect_core::BoxError;
use tidb_connect_wire::Report;

use crate::{
    Driver,
    lab::{Lab, NotObservable, Traffic},
    probe::{Chapter, Declined, probes},
};

pub(super) const CHAPTER: Chapter = Chapter {
    name: "statements",
    title: "Statements",
    probes: probes![
        statement_run_twice
        statement_without_parameters
        statement_that_cannot_be_prepared
        prepared_statements_kept
        statement_cache_off
        statement_through_the_pool
        statement_of_another_connection
        statement_handle_kept
        table_changed_after_prepare
        connection_dropped_with_statements
        parameters_65536
        too_few_parameters
        too_many_parameters
        named_parameters
        named_parameter_after_minus
        named_parameter_with_capital
        several_statements
        several_statements_with_parameters
        second_statement_fails
        batch_round_trips
        batch_row_fails
        value_above_16_mib
        parameter_above_max_allowed_packet
        text_above_max_allowed_packet
        row_above_max_allowed_packet
        rows_read_ahead
        rows_left_unread
    ],
    declined: &[Declined {
        id: "pipelining",
        question: "Can a program send several statements without waiting for the answer to each?",
        reason: "No driver has a call for it: each borrows the connection until the answer has come, and a batch waits for \
                 every row's.",
    }],
};

/// How many different statements [`text`] makes: more than any driver keeps.
const TEXTS: usize = 200;

/// A statement with one parameter; a different one for each number below [`TEXTS`].
fn text(number: usize) -> &'static str {
    /// Cut within the comment, it is a statement as well.
    const LONGEST: &str = concat!(
        "SELECT 1 + ? -- ",
        "..................................................",
        "..................................................",
        "..................................................",
        "..................................................",
    );
    LONGEST.get(..LONGEST.len() - number).unwrap_or(LONGEST)
}

/// The commands of `traffic` in words, those that follow each other and are alike as one: `prepare, execute ×100`.
fn steps(traffic: &Traffic) -> String {
    let mut steps: Vec<(&str, usize)> = Vec::new();
    for command in &traffic.commands {
        let step = match command.split(' ').next().unwrap_or_default() {
            "COM_QUERY" => "text",
            "COM_STMT_PREPARE" => "prepare",
            "COM_STMT_EXECUTE" => "execute",
            "COM_STMT_CLOSE" => "close",
            "COM_STMT_SEND_LONG_DATA" => "long data",
            "COM_QUIT" => "quit",
            "0xfa" => "bulk execute",
            other => other,
        };
        match steps.last_mut() {
            Some((last, times)) if *last == step => *times += 1,
            _ => steps.push((step, 1)),
        }
    }
    let word = |(step, times): (&str, usize)| if times == 1 { step.to_owned() } else { format!("{step} ×{times}") };
    steps.into_iter().map(word).collect::<Vec<_>>().join(" + ")
}

/// Runs statements as text, through a driver as it comes.
async fn run_text(driver: Driver, lab: &Lab, statements: &'static str) -> Result<(), BoxError> {
    match driver {
        Driver::Sqlx => {
            lab.sqlx().await?.execute(statements).await?;
        }
        Driver::Mysql => lab.mysql(move |connection| Ok(connection.query_drop(statements)?)).await?,
        Driver::MysqlAsync => lab.mysql_async().await?.query_drop(statements).await?,
    }
    Ok(())
}

/// Runs statements as text, through this workspace's crate.
async fn our_run_text(driver: Driver, lab: &Lab, statements: &'static str) -> Result<(), BoxError> {
    match driver {
        Driver::Sqlx => {
            lab.our_sqlx().await?.execute(statements).await?;
        }
        Driver::Mysql => lab.our_mysql(move |connection| Ok(connection.query_drop(statements)?)).await?,
        Driver::MysqlAsync => lab.our_mysql_async().await?.query_drop(statements).await?,
    }
    Ok(())
}

/// Who refuses what was asked for, and a server's number for it.
fn refusal(error: &BoxError) -> String {
    let server = match (error.downcast_ref(), error.downcast_ref(), error.downcast_ref()) {
        (Some(sqlx::Error::Database(error)), ..) => {
            error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|error| error.number())
        }
        (_, Some(mysql::Error::MySqlError(error)), _) => Some(error.code),
        (.., Some(mysql_async::Error::Server(error))) => Some(error.code),
        (Some(sqlx::Error::Io(_)), ..) | (_, Some(mysql::Error::IoError(_)), _) => {
            return "the connection breaks".to_owned();
        }
        // What it refuses itself to send or to read comes as an error of this kind.
        (.., Some(mysql_async::Error::Io(mysql_async::IoError::Io(error)))) if error.kind() == ErrorKind::Other => None,
        (.., Some(mysql_async::Error::Io(_))) => return "the connection breaks".to_owned(),
        _ => None,
    };
    match server {
        Some(code) => format!("server error {code}"),
        None if error.is::<crate::lab::Panicked>() => "the driver panics".to_owned(),
        None => "the driver refuses".to_owned(),
    }
}

/// What became of a connection, by the outcome of a statement that works on any.
fn state<E>(next: &Result<(), E>) -> &'static str {
    if next.is_ok() { "connection usable" } else { "connection lost" }
}

/// The table of [`ROWS`].
const DIGITS: &[&str] =
    &["CREATE TABLE digits (d INT)", "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)"];

/// A result of 10,000 rows of 2 KiB, which the server makes while it sends.
const ROWS: &str = "SELECT REPEAT('x', 2048) FROM digits a, digits b, digits c, digits d";

/// What the values of [`ROWS`] take, in bytes.
const ALL: u64 = 10_000 * 2048;

/// What has left the server for the driver.
fn bytes_down(report: &Report) -> u64 {
    report.connections.iter().map(|connection| connection.bytes_down).sum()
}

/// What the driver has sent.
fn bytes_up(report: &Report) -> u64 {
    report.connections.iter().map(|connection| connection.bytes_up).sum()
}

/// Who refused more than fits, after the driver has sent so many bytes. The server's error is not asked: it may be lost with
/// the connection.
fn refused(sent: u64) -> &'static str {
    if sent < 1 << 20 { "the driver, and nothing is sent" } else { "the server" }
}

/// The server's limit, unless it is too high to be tried out.
async fn max_allowed_packet(lab: &Lab) -> Result<usize, BoxError> {
    let limit = lab.value("SELECT @@max_allowed_packet").await?.parse()?;
    if limit > 64 << 20 {
        let reason = format!("the server's max_allowed_packet, {} MiB, is too much to be tried out", limit >> 20);
        return Err(NotObservable::here(reason));
    }
    Ok(limit)
}
