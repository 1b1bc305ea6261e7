//! The driver's errors in the words that all drivers share.

use std::{future::Future, io, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use mysql_async::{DriverError as Driver, Error as DriverError, IoError};
use mysql_common::proto::codec::error::PacketCodecError;
use tidb_connect_core::{Error, Fault, NotSent, Phase, ServerError, TlsFault};

use crate::DRIVER;

/// What the driver's error says.
pub(crate) fn fault(error: &DriverError) -> Fault {
    match error {
        DriverError::Server(error) => {
            Fault::Server(ServerError::new(error.code, error.state.as_str(), error.message.as_str()))
        }
        DriverError::Driver(Driver::NoClientSslFlagFromServer) => Fault::Tls(TlsFault::NotOffered),
        DriverError::Driver(Driver::ConnectionClosed | Driver::PoolDisconnected) => Fault::Lost,
        DriverError::Driver(Driver::UnexpectedPacket { payload }) => early_error(payload).unwrap_or(Fault::Protocol),
        // No file is given out, so that a request for one answers no statement.
        DriverError::Driver(
            Driver::PacketOutOfOrder | Driver::CantParseServerVersion { .. } | Driver::LocalInfile(_),
        ) => Fault::Protocol,
        DriverError::Driver(
            Driver::UnknownAuthPlugin { .. } | Driver::CleartextPluginDisabled | Driver::MysqlOldPasswordDisabled,
        ) => Fault::LoginMethod,
        DriverError::Driver(Driver::StmtParamsNumberExceedsLimit { .. }) => Fault::NotSent(NotSent::TooLarge),
        DriverError::Driver(
            Driver::StmtParamsMismatch { .. } | Driver::Params(_) | Driver::MixedParams | Driver::BulkExecute(_),
        ) => Fault::NotSent(NotSent::Arguments),
        DriverError::Driver(Driver::FromValue { .. } | Driver::FromRow { .. }) => Fault::Decode,
        // A statement that is too large was refused before the driver saw it.
        DriverError::Driver(Driver::PacketTooLarge) => Fault::TooLarge,
        DriverError::Io(IoError::Tls(cause)) => match Fault::of(cause) {
            Fault::Driver => Fault::Tls(TlsFault::Other),
            fault => fault,
        },
        DriverError::Io(IoError::Io(cause)) => packet_fault(cause).unwrap_or_else(|| Fault::of(cause)),
        other => Fault::of(other),
    }
}

/// The driver's error for a statement that was not sent.
pub(crate) fn not_sent(why: NotSent) -> DriverError {
    DriverError::Io(IoError::Io(why.into()))
}

/// Makes a call of the driver, which panics on some packets that are cut short: an error instead.
pub(crate) async fn without_panic<T>(call: impl Future<Output = mysql_async::Result<T>>) -> mysql_async::Result<T> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|_| {
        let panicked = io::Error::new(io::ErrorKind::InvalidData, "the driver panicked on the server's answer");
        Err(DriverError::Io(IoError::Io(panicked)))
    })
}

/// An error packet without an SQLSTATE, which the driver cannot read: TiDB sends one to a client that does without the
/// TLS that it demands, because it has not yet read what the client can do.
fn early_error(packet: &[u8]) -> Option<Fault> {
    let [0xff, code @ .., _] = packet.first_chunk::<4>()? else { return None };
    Some(Fault::Server(ServerError::new(u16::from_le_bytes(*code), "", String::from_utf8_lossy(&packet[3..]))))
}

/// What the packet codec says, which the driver wraps in an I/O error of no particular kind.
fn packet_fault(error: &io::Error) -> Option<Fault> {
    match error.get_ref()?.downcast_ref::<PacketCodecError>()? {
        PacketCodecError::Io(error) => Some(Fault::of(error)),
        PacketCodecError::PacketTooLarge => Some(Fault::TooLarge),
        PacketCodecError::PacketsOutOfSync | PacketCodecError::BadCompressedPacketHeader => Some(Fault::Protocol),
    }
}

/// Makes the driver's error an [`Error`], with its kind and what holds for the data.
///
/// `operation` is the name that its message begins with. `phase` says what the statement was, because that decides what
/// holds when no answer has come; of several statements in one call, such as `exec_batch`, use [`Phase::Batch`].
///
/// ```no_run
/// use tidb_connect_mysql_async::{Phase, Pool, Result, failed, mysql_async::prelude::Queryable};
///
/// async fn rename(pool: &Pool, id: i64, name: &str) -> Result<()> {
///     let mut connection = pool.get().await?;
///     let update = "UPDATE accounts SET name = ? WHERE id = ?";
///     connection.exec_drop(update, (name, id)).await.map_err(failed("rename", Phase::Write))
/// }
/// ```
pub fn failed(operation: &'static str, phase: Phase) -> impl Fn(DriverError) -> Error {
    move |error| Error::operation(DRIVER, operation, phase, fault(&error), error)
}
