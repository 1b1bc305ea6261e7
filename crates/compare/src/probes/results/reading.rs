//! Reading one value as a Rust type.

use std::fmt;

use sqlx::{Executor as _, Row as _};

use crate::{
    lab::{Panicked, caught},
    probes::prelude::*,
};

/// What every driver can be asked to read a value as.
pub(super) trait Readable:
    mysql::prelude::FromValue
    + sqlx::Type<sqlx::MySql>
    + for<'r> sqlx::Decode<'r, sqlx::MySql>
    + fmt::Debug
    + Send
    + 'static
{
}

impl<T> Readable for T where
    T: mysql::prelude::FromValue
        + sqlx::Type<sqlx::MySql>
        + for<'r> sqlx::Decode<'r, sqlx::MySql>
        + fmt::Debug
        + Send
        + 'static
{
}

/// How a statement is sent, and so how its values come.
#[derive(Clone, Copy, Debug)]
enum Protocol {
    Prepared,
    Text,
}

/// What becomes of values that a program reads as Rust types: `u64 7, i64 error`.
#[derive(Debug)]
pub(super) struct Reading {
    driver: Driver,
    lab: Lab,
    words: Vec<String>,
    evidence: Vec<String>,
}

impl Reading {
    pub(super) fn by(driver: Driver, lab: Lab) -> Self {
        Self { driver, lab, words: Vec::new(), evidence: Vec::new() }
    }

    /// Reads the first value of `statement` as a `T`, prepared and as text. Where the two differ, both are told.
    pub(super) async fn read<T: Readable>(&mut self, name: &str, statement: &'static str) -> Result<(), BoxError> {
        let prepared = self.word::<T>(Protocol::Prepared, name, statement).await?;
        let text = self.word::<T>(Protocol::Text, name, statement).await?;
        let word = if prepared == text { prepared } else { format!("{prepared} (text: {text})") };
        self.words.push(format!("{name} {word}"));
        Ok(())
    }

    async fn word<T: Readable>(
        &mut self,
        protocol: Protocol,
        name: &str,
        statement: &'static str,
    ) -> Result<String, BoxError> {
        let (word, why) = match self.first::<T>(protocol, statement).await {
            Ok(value) => return Ok(format!("{value:?}")),
            Err(error) if error.is::<Panicked>() => ("panic", error.to_string()),
            Err(error) => match error.downcast_ref() {
                Some(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Protocol(_)) => ("error", error.to_string()),
                _ => return Err(error),
            },
        };
        self.evidence.push(format!("{name}, {protocol:?}: {why}"));
        Ok(word.to_owned())
    }

    /// By the function that a program would take first: the drivers have others that do not panic.
    async fn first<T: Readable>(&self, protocol: Protocol, statement: &'static str) -> Result<T, BoxError> {
        let value = match self.driver {
            Driver::Sqlx => {
                let mut connection = self.lab.sqlx().await?;
                let row = match protocol {
                    Protocol::Prepared => sqlx::query(statement).fetch_one(&mut connection).await?,
                    Protocol::Text => connection.fetch_one(statement).await?,
                };
                Some(row.try_get(0)?)
            }
            Driver::Mysql => {
                let first = move |connection: &mut mysql::Conn| match protocol {
                    Protocol::Prepared => Ok(connection.exec_first(statement, ())?),
                    Protocol::Text => Ok(connection.query_first(statement)?),
                };
                self.lab.mysql(first).await?
            }
            Driver::MysqlAsync => {
                let mut connection = self.lab.mysql_async().await?;
                let first = async move {
                    match protocol {
                        Protocol::Prepared => Ok(connection.exec_first(statement, ()).await?),
                        Protocol::Text => Ok(connection.query_first(statement).await?),
                    }
                };
                caught(first).await?
            }
        };
        value.ok_or_else(|| "no row came".into())
    }

    pub(super) fn answer(self) -> Answer {
        self.evidence.into_iter().fold(Answer::new(self.words.join(", ")), Answer::with)
    }
}
