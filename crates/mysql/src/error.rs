//! The driver's errors in the words that all drivers share.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
};

use mysql::{DriverError as Driver, Error as DriverError};
use mysql_common::{packets::InvalidSqlStateMarker, proto::codec::error::PacketCodecError};
use tidb_connect_core::{BoxError, Error, Fault, NotSent, Phase, ServerError, TlsFault};

use crate::DRIVER;

/// What the driver's error says.
pub(crate) fn fault(error: &DriverError) -> Fault {
    match error {
        DriverError::MySqlError(error) => {
            Fault::Server(ServerError::new(error.code, error.state.as_str(), error.message.as_str()))
        }
        DriverError::DriverError(Driver::TlsNotSupported) => Fault::Tls(TlsFault::NotOffered),
        DriverError::DriverError(Driver::ConnectTimeout | Driver::Timeout) => Fault::TimedOut,
        DriverError::DriverError(Driver::CouldNotConnect(Some((_, text, kind)))) => {
            Fault::of(&std::io::Error::new(*kind, text.as_str()))
        }
        DriverError::DriverError(
            Driver::PacketOutOfSync
            | Driver::UnexpectedPacket
            | Driver::UnsupportedProtocol(_)
            | Driver::Protocol41NotSet
            | Driver::CouldNotParseVersion,
        ) => Fault::Protocol,
        DriverError::DriverError(
            Driver::UnknownAuthPlugin(_) | Driver::CleartextPluginDisabled | Driver::OldMysqlPasswordDisabled,
        ) => Fault::LoginMethod,
        // A statement that is too large was refused before the driver saw it.
        DriverError::DriverError(Driver::PacketTooLarge) => Fault::TooLarge,
        DriverError::DriverError(
            Driver::MismatchedStmtParams(..) | Driver::Params(_) | Driver::MixedParams | Driver::BulkExecute(_),
        ) => Fault::NotSent(NotSent::Arguments),
        DriverError::FromValueError(_) | DriverError::FromRowError(_) => Fault::Decode,
        DriverError::TlsError(cause) => match Fault::of(cause) {
            Fault::Driver => Fault::Tls(TlsFault::Other),
            fault => fault,
        },
        DriverError::IoError(cause) => Fault::of(cause),
        DriverError::CodecError(cause) => match cause {
            PacketCodecError::Io(error) => Fault::of(error),
            PacketCodecError::PacketTooLarge => Fault::TooLarge,
            PacketCodecError::PacketsOutOfSync | PacketCodecError::BadCompressedPacketHeader => Fault::Protocol,
        },
        other => Fault::of(other),
    }
}

/// What the driver's error says of a connection that could not be opened.
///
/// An error packet without an SQLSTATE is one that the driver cannot read, and whose code and text it drops. TiDB sends one
/// to a client that does without the TLS that it demands, because it has not yet read what the client can do. Nothing else
/// is known to be refused like that after the greeting, so that it is taken for this, unless TLS is there.
pub(crate) fn connect_fault(error: &DriverError, uses_tls: bool) -> Fault {
    match error {
        DriverError::IoError(cause)
            if !uses_tls && cause.get_ref().is_some_and(|inner| inner.is::<InvalidSqlStateMarker>()) =>
        {
            Fault::Tls(TlsFault::Demanded)
        }
        other => fault(other),
    }
}

/// The driver's error for a statement that was not sent.
pub(crate) fn not_sent(why: NotSent) -> DriverError {
    DriverError::IoError(why.into())
}

/// Makes a call of the driver, which panics on some packets that are cut short: an error instead.
pub(crate) fn without_panic<T>(call: impl FnOnce() -> mysql::Result<T>) -> mysql::Result<T> {
    panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the driver panicked on the server's answer").into())
    })
}

/// The driver's error as a cause. It implements `cause` and not `source`, so that a chain would end at it: what it wraps
/// takes its place.
pub(crate) fn cause(error: DriverError) -> BoxError {
    match error {
        DriverError::IoError(error) | DriverError::CodecError(PacketCodecError::Io(error)) => error.into(),
        DriverError::CodecError(error) => error.into(),
        DriverError::MySqlError(error) => error.into(),
        DriverError::DriverError(error) => error.into(),
        DriverError::TlsError(error) => error.into(),
        other => other.into(),
    }
}

/// Makes the driver's error an [`Error`], with its kind and what holds for the data.
///
/// `operation` is the name that its message begins with. `phase` says what the statement was, because that decides what
/// holds when no answer has come; of several statements in one call, such as `exec_batch`, use [`Phase::Batch`].
///
/// ```no_run
/// use tidb_connect_mysql::{Phase, Pool, Result, failed, mysql::prelude::Queryable};
///
/// fn rename(pool: &Pool, id: i64, name: &str) -> Result<()> {
///     let mut connection = pool.get()?;
///     let update = "UPDATE accounts SET name = ? WHERE id = ?";
///     connection.exec_drop(update, (name, id)).map_err(failed("rename", Phase::Write))
/// }
/// ```
pub fn failed(operation: &'static str, phase: Phase) -> impl Fn(DriverError) -> Error {
    move |error| Error::operation(DRIVER, operation, phase, fault(&error), cause(error))
}
