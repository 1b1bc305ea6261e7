//! The driver's errors in the words that all drivers share.

use std::{future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use sqlx::{Error as DriverError, mysql::MySqlDatabaseError};
use tidb_connect_core::{Error, Fault, NotSent, Phase, ServerError, TlsFault};

use crate::DRIVER;

/// What the driver's error says.
pub(crate) fn fault(error: &DriverError) -> Fault {
    match error {
        DriverError::Database(database) => match database.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => {
                Fault::Server(ServerError::new(error.number(), error.code().unwrap_or_default(), error.message()))
            }
            None => Fault::Driver,
        },
        // The driver has no variant for it, only this text.
        DriverError::Tls(cause) if cause.to_string().contains("does not support TLS") => {
            Fault::Tls(TlsFault::NotOffered)
        }
        DriverError::Tls(cause) => match Fault::of(cause.as_ref()) {
            Fault::Driver => Fault::Tls(TlsFault::Other),
            fault => fault,
        },
        // The driver has no variant for either, only these texts.
        DriverError::Protocol(text)
            if ["unknown authentication plugin", "mysql_cleartext_plugin disabled"]
                .iter()
                .any(|part| text.contains(part)) =>
        {
            Fault::LoginMethod
        }
        DriverError::Protocol(_) => Fault::Protocol,
        DriverError::Encode(_) => Fault::NotSent(NotSent::Arguments),
        DriverError::ColumnDecode { .. }
        | DriverError::ColumnIndexOutOfBounds { .. }
        | DriverError::ColumnNotFound(_)
        | DriverError::Decode(_)
        | DriverError::TypeNotFound { .. } => Fault::Decode,
        other => Fault::of(other),
    }
}

/// The driver's error for a statement that was not sent.
pub(crate) fn not_sent(why: NotSent) -> DriverError {
    DriverError::Io(why.into())
}

/// Makes a call of the driver, which panics on some packets that are cut short: an error instead.
pub(crate) async fn without_panic<T>(call: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|_| Err(panicked()))
}

/// In place of a panic of the driver.
pub(crate) fn panicked() -> DriverError {
    DriverError::Protocol("the driver panicked on the server's answer".to_owned())
}

/// Makes the driver's error an [`Error`], with its kind and what holds for the data.
///
/// `operation` is the name that its message begins with. `phase` says what the statement was, because that decides what
/// holds when no answer has come; of several statements in one call, use [`Phase::Batch`].
///
/// ```no_run
/// use tidb_connect_sqlx::{Phase, Pool, Result, failed, sqlx};
///
/// async fn rename(pool: &Pool, id: i64, name: &str) -> Result<()> {
///     let mut connection = pool.get().await?;
///     let update = sqlx::query("UPDATE accounts SET name = ? WHERE id = ?").bind(name).bind(id);
///     update.execute(&mut connection).await.map_err(failed("rename", Phase::Write))?;
///     Ok(())
/// }
/// ```
pub fn failed(operation: &'static str, phase: Phase) -> impl Fn(DriverError) -> Error {
    move |error| Error::operation(DRIVER, operation, phase, fault(&error), error)
}
