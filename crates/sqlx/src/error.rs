//! The driver's errors in the words that all drivers share.

use sqlx::{Error as DriverError, mysql::MySqlDatabaseError};
use tidb_connect_core::{Error, Fault, Phase, ServerError, TlsFault};

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
        other => Fault::of(other),
    }
}

/// In place of a panic of the driver, which there is on some packets that are cut short.
pub(crate) fn panicked() -> DriverError {
    DriverError::Protocol("the driver panicked on the server's answer".to_owned())
}

/// The error for a statement of `operation` that failed in `phase`.
pub(crate) fn failed(operation: &'static str, phase: Phase) -> impl Fn(DriverError) -> Error {
    move |error| Error::operation(DRIVER, operation, phase, fault(&error), error)
}
