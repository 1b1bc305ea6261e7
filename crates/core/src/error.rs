//! One error for every driver: what happened, what it means for the data, and the cause below.

use std::{borrow::Cow, error::Error as StdError, fmt, io};

use crate::{
    Outcome, Phase, classify,
    outcome::{ends_connection, ends_transaction},
};

/// The result of everything in this workspace that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error, boxed: what a driver, a library or the operating system reported.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// A failure, described the same way whichever driver met it.
///
/// [`kind`](Self::kind) says what happened and [`outcome`](Self::outcome) what holds for the data; both can be matched
/// without naming a driver. `Display` is one sentence for a person, the same in every driver for the same situation,
/// and never repeats the cause, which is the driver's own error: [`source`](StdError::source).
///
/// ```
/// use tidb_connect_core::{Error, ErrorKind, Outcome};
///
/// fn worth_another_try(error: &Error) -> bool {
///     error.outcome() == Outcome::Retryable && error.kind() != ErrorKind::PoolExhausted
/// }
/// assert!(worth_another_try(&Error::new(ErrorKind::Conflict, "another transaction changed the same rows")));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    message: Cow<'static, str>,
    driver: Option<&'static str>,
    operation: Option<&'static str>,
    server: Option<ServerError>,
    source: Option<BoxError>,
}

/// What happened, in words that no driver owns.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A setting is missing, malformed or contradicts another.
    Config,
    /// No server could be reached: refused, no such host, no route.
    Unreachable,
    /// TLS could not be agreed on: certificate, host name, or one side insists and the other has none.
    Tls,
    /// User name or password refused.
    AccessDenied,
    /// The configured database does not exist.
    UnknownDatabase,
    /// The server accepts no further connection.
    TooManyConnections,
    /// No answer within the connect or the operation time-out.
    TimedOut,
    /// The peer does not speak the MySQL protocol, or lost step.
    Protocol,
    /// Every connection of the pool stayed in use for as long as the acquire limit.
    PoolExhausted,
    /// The pool or store has been closed.
    Closed,
    /// The connection broke while in use.
    ConnectionLost,
    /// Another transaction changed or locked the same rows.
    Conflict,
    /// The server or its storage is busy, starting or shutting down.
    Unavailable,
    /// A quota or size limit: memory, transaction, statement, usage.
    LimitExceeded,
    /// The user lacks a privilege for the statement.
    PermissionDenied,
    /// The table to be created is there already.
    TableExists,
    /// The table is not there.
    TableMissing,
    /// No row has this id.
    NotFound,
    /// A row with the same unique value is there already.
    AlreadyExists,
    /// A value does not fit its column.
    OutOfRange,
    /// A column that must hold a value holds NULL.
    UnexpectedNull,
    /// A value from the server cannot be read as the type it should have.
    Decode,
    /// An argument breaks the contract; nothing was sent.
    InvalidInput,
    /// A trade was refused: the buyer has too few coins.
    InsufficientCoins,
    /// A trade was refused: the seller has too few goods.
    InsufficientGoods,
    /// Any other error that the server reported; see [`Error::server`].
    Database,
    /// Any other error inside the driver.
    Driver,
}

/// An error packet as the server sent it.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// The server's error number, such as 1062.
    pub code: u16,
    /// The five characters of SQLSTATE, such as `23000`; empty when the driver gives none.
    pub sqlstate: String,
    /// The server's text.
    pub message: String,
}

impl ServerError {
    /// An error packet as a driver has read it.
    ///
    /// Before the login, some servers send an SQLSTATE and some do not, and a driver that expects none leaves it in front of
    /// the text, behind a `#`: it is put where it belongs.
    pub fn new(code: u16, sqlstate: impl Into<String>, message: impl Into<String>) -> Self {
        let (mut sqlstate, mut message) = (sqlstate.into(), message.into());
        if let Some((state, text)) = message.strip_prefix('#').and_then(|rest| rest.split_at_checked(5)) {
            (sqlstate, message) = (state.to_owned(), text.to_owned());
        }
        Self { code, sqlstate, message }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, sqlstate, message } = self;
        match sqlstate.as_str() {
            "" => write!(f, "{code}: {message}"),
            _ => write!(f, "{code} ({sqlstate}): {message}"),
        }
    }
}

/// What a driver's error says, in words that the three have in common: all that a driver crate has to recognise.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server sent an error packet.
    Server(ServerError),
    /// The statement never left this machine.
    NotSent(NotSent),
    /// A statement within a transaction committed or ended it.
    TransactionEnded,
    /// The port refused the connection; on an established connection, a firewall did.
    Refused,
    /// The host name has no address.
    NoSuchHost,
    /// The network does not lead to the host.
    NoRoute,
    /// No answer in time.
    TimedOut,
    /// The connection was closed or reset.
    Lost,
    /// A TLS failure.
    Tls(TlsFault),
    /// The server wants a login of a kind that the driver does not know, or does not use because it shows the password.
    LoginMethod,
    /// The peer's bytes are not the MySQL protocol.
    Protocol,
    /// The server's answer is larger than the driver reads.
    TooLarge,
    /// The statement succeeded, and a value of its answer cannot be read as the type that was asked for.
    Decode,
    /// Anything else on the driver's side.
    Driver,
}

/// Why a statement was not sent. Nothing of it was applied, in any phase.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// An earlier call on the connection was cancelled, timed out or broke it.
    Unusable,
    /// An earlier statement, which failed like this, ended the attempt of the transaction.
    AttemptOver(ErrorKind),
    /// The statement would commit or end the transaction around it.
    EndsTransaction,
    /// The call hands out rows one by one, and an error among them would not be seen by the transaction around it.
    UnseenRows,
    /// The statement is larger than the driver or the protocol allows.
    TooLarge,
    /// The driver refused the arguments: their number, their names or their types.
    Arguments,
}

impl NotSent {
    const fn classify(self) -> (ErrorKind, Outcome) {
        match self {
            Self::Unusable => (ErrorKind::ConnectionLost, Outcome::Retryable),
            Self::AttemptOver(kind) => (kind, Outcome::Retryable),
            Self::TooLarge => (ErrorKind::LimitExceeded, Outcome::Final),
            Self::EndsTransaction | Self::UnseenRows | Self::Arguments => (ErrorKind::InvalidInput, Outcome::Final),
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Unusable => {
                "the statement was not sent, because an earlier call on this connection was cancelled, timed out or broke \
                 it: acquire another connection"
            }
            Self::AttemptOver(_) => {
                "the statement was not sent, because an earlier one ended this attempt of the transaction: return from \
                 the closure, and the transaction is retried where that can help"
            }
            Self::EndsTransaction => {
                "the statement was not sent, because it would commit or end the transaction that it runs in: return from \
                 the closure to commit, and run DDL outside of the transaction"
            }
            Self::UnseenRows => {
                "the statement was not sent, because the transaction would not see an error among rows that are read one \
                 by one: use query, exec, or one of their variants with _map, _fold, _first or _drop"
            }
            Self::TooLarge => "the statement was not sent, because it is too large: send less at once",
            Self::Arguments => "the statement was not sent, because its arguments do not fit it",
        }
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl StdError for NotSent {}

impl From<NotSent> for io::Error {
    fn from(why: NotSent) -> Self {
        Self::other(why)
    }
}

/// A statement within a transaction committed or ended it, as the server's status shows. What ran before it may be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionEnded;

impl fmt::Display for TransactionEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ENDED)
    }
}

impl StdError for TransactionEnded {}

impl From<TransactionEnded> for io::Error {
    fn from(ended: TransactionEnded) -> Self {
        Self::other(ended)
    }
}

const ENDED: &str = "the statement committed or ended the transaction that it ran in, as COMMIT and DDL do: return from the \
                     closure to commit, and run DDL outside of the transaction";

/// Why TLS failed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// The certificate is signed by an authority that is not trusted.
    UnknownAuthority,
    /// The certificate is for another host name.
    WrongName,
    /// The certificate is past its end, by this machine's clock.
    Expired,
    /// The certificate's time has not begun, by this machine's clock.
    NotYetValid,
    /// The certificate has no host name or address in it that counts: a common name does not.
    NoName,
    /// The certificate is that of an authority, which a server must not present as its own.
    OfAuthority,
    /// The certificate was issued for something else than a server.
    WrongPurpose,
    /// The certificate has been revoked.
    Revoked,
    /// The certificate is signed by an algorithm that is not trusted any more, such as SHA-1.
    WeakSignature,
    /// The certificate, or a part of it, cannot be read: too old a version, or damaged.
    Unreadable,
    /// The two sides have no version or cipher of TLS in common.
    NothingInCommon,
    /// The server wants a certificate of the client's.
    ClientCertificate,
    /// The peer does not speak TLS.
    NotSpoken,
    /// The server offers no TLS.
    NotOffered,
    /// The server accepts only connections with TLS.
    Demanded,
    /// Anything else.
    Other,
}

impl Fault {
    /// Recognises what the standard library, rustls or this crate reported, anywhere in the chain of `error`.
    #[must_use]
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        let mut fault = Self::Driver;
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return Self::Tls(tls_fault(error));
            }
            if let Some(why) = error.downcast_ref::<NotSent>() {
                return Self::NotSent(*why);
            }
            if error.is::<TransactionEnded>() {
                return Self::TransactionEnded;
            }
            if let Some(error) = error.downcast_ref::<io::Error>() {
                fault = io_fault(error);
                // `io::Error::source` skips the error it wraps, which is the one that says more.
                next = error.get_ref().map(|inner| inner as &(dyn StdError + 'static));
            } else {
                next = error.source();
            }
        }
        fault
    }

    /// What this fault means in `phase`: [`classify`](crate::classify) for a server's error, and the same question
    /// answered for what went wrong without one.
    ///
    /// In a phase that commits, only the server's own error and a statement that was not sent can say that nothing was
    /// applied. Whatever an operating system, TLS or a driver reports may have come after the server's work: on an
    /// established connection Linux reports even "no route to host" and "connection refused".
    #[must_use]
    pub fn classify(&self, phase: Phase) -> (ErrorKind, Outcome) {
        let (kind, outcome) = match self {
            Self::Server(server) => return classify(server.code, &server.message, phase),
            // Some rows of a batch may have left before the one that the driver refused.
            Self::NotSent(why @ (NotSent::TooLarge | NotSent::Arguments)) if phase == Phase::Batch => {
                (why.classify().0, Outcome::Unknown)
            }
            Self::NotSent(why) => return why.classify(),
            Self::TransactionEnded => return (ErrorKind::InvalidInput, Outcome::Unknown),
            Self::Refused | Self::NoSuchHost | Self::NoRoute => (ErrorKind::Unreachable, Outcome::Retryable),
            Self::TimedOut => (ErrorKind::TimedOut, Outcome::Retryable),
            Self::Lost => (ErrorKind::ConnectionLost, Outcome::Retryable),
            Self::Tls(_) => (ErrorKind::Tls, Outcome::Final),
            Self::LoginMethod => (ErrorKind::AccessDenied, Outcome::Final),
            Self::Protocol => (ErrorKind::Protocol, Outcome::Final),
            Self::TooLarge => (ErrorKind::LimitExceeded, Outcome::Final),
            Self::Decode => (ErrorKind::Decode, Outcome::Final),
            Self::Driver => (ErrorKind::Driver, Outcome::Final),
        };
        (kind, if phase.commits() { Outcome::Unknown } else { outcome })
    }

    /// What is left of the connection.
    pub(crate) fn leaves(&self) -> Connection {
        match self {
            Self::Server(server) if ends_connection(server) => Connection::Broken,
            Self::Server(_) | Self::NotSent(_) | Self::TransactionEnded | Self::Decode => Connection::InStep,
            Self::Refused | Self::NoSuchHost | Self::NoRoute | Self::TimedOut | Self::Lost => Connection::Lost,
            Self::Tls(_) | Self::LoginMethod | Self::Protocol | Self::TooLarge | Self::Driver => Connection::Broken,
        }
    }

    /// Whether this ends the transaction that the statement ran in.
    pub(crate) fn ends_transaction(&self) -> bool {
        match self {
            Self::Server(server) => ends_transaction(server),
            other => other.leaves() != Connection::InStep,
        }
    }
}

/// What a fault leaves of the connection that it was met on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// The next call can use it.
    InStep,
    /// It can be used no more.
    Broken,
    /// It can be used no more, and others to the same server may be dead as well.
    Lost,
}

fn io_fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::Refused,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => Fault::NoRoute,
        // A blocking socket reports its time-out as WouldBlock.
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Fault::TimedOut,
        // What another version of rustls than ours says, whose type is not known here.
        io::ErrorKind::InvalidData if error.to_string().contains("peer certificate") => Fault::Tls(TlsFault::Other),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Fault::Protocol,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::WriteZero => Fault::Lost,
        // What the packet codecs of `mysql` and `mysql_async` say when the connection ends in the middle of a packet.
        _ if error.to_string().contains("bytes remaining on stream") => Fault::Lost,
        // What tokio says of a connection whose runtime has ended.
        _ if error.to_string().contains("is being shutdown") => Fault::Lost,
        // The standard library has no kind of its own for a failed look-up, only this text.
        _ if error.to_string().contains("lookup address") => Fault::NoSuchHost,
        _ => Fault::Driver,
    }
}

fn tls_fault(error: &rustls::Error) -> TlsFault {
    use rustls::{AlertDescription as Alert, CertificateError as Certificate, Error};
    match error {
        Error::InvalidCertificate(certificate) => match certificate {
            Certificate::UnknownIssuer | Certificate::BadSignature => TlsFault::UnknownAuthority,
            Certificate::NotValidForNameContext { presented, .. } if presented.is_empty() => TlsFault::NoName,
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => TlsFault::WrongName,
            Certificate::Expired | Certificate::ExpiredContext { .. } => TlsFault::Expired,
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => TlsFault::NotYetValid,
            Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => TlsFault::WrongPurpose,
            Certificate::Revoked => TlsFault::Revoked,
            // A name of its own is in no release yet; the other forms are deprecated.
            other if format!("{other:?}").contains("UnsupportedSignatureAlgorithm") => TlsFault::WeakSignature,
            // What webpki says has no variant here, only its name as the text.
            Certificate::Other(reason) if reason.to_string().contains("CaUsedAsEndEntity") => TlsFault::OfAuthority,
            _ => TlsFault::Unreadable,
        },
        Error::PeerIncompatible(_) => TlsFault::NothingInCommon,
        Error::AlertReceived(Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity) => {
            TlsFault::NothingInCommon
        }
        Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => TlsFault::ClientCertificate,
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord => TlsFault::NotSpoken,
        _ => TlsFault::Other,
    }
}

impl Error {
    /// An error of `kind` that says `message`, one sentence without a final stop. The outcome is the kind's usual one.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            outcome: kind.usual_outcome(),
            message: message.into(),
            driver: None,
            operation: None,
            server: None,
            source: None,
        }))
    }

    /// An error for a statement of `operation` that failed in `phase`, as `driver` reported it.
    pub fn operation(
        driver: &'static str,
        operation: &'static str,
        phase: Phase,
        fault: Fault,
        source: impl Into<BoxError>,
    ) -> Self {
        let (kind, outcome) = fault.classify(phase);
        let what: Cow<'static, str> = match (kind, &fault) {
            (ErrorKind::Database, Fault::Server(server)) => {
                format!("the server refused the statement with error {}", server.code).into()
            }
            (_, Fault::NotSent(why)) => why.sentence().into(),
            (_, Fault::TransactionEnded) => ENDED.into(),
            (_, Fault::TooLarge) => "the server's answer is larger than the driver reads".into(),
            _ => kind.sentence().into(),
        };
        let then = match outcome {
            Outcome::Retryable => "; nothing was applied, so it can be tried again",
            Outcome::Final => "",
            Outcome::Unknown => "; whether the change was applied is unknown, so look before trying again",
        };
        let mut error = Self::new(kind, format!("{operation}: {what}{then}"))
            .with_outcome(outcome)
            .with_driver(driver)
            .with_operation(operation)
            .with_source(source);
        if let Fault::Server(server) = fault {
            error.0.server = Some(server);
        }
        error
    }

    /// An error that a store itself gives for `operation`, in the kind's own words, which are also the words used when
    /// the server gives it.
    #[must_use]
    pub fn refused(operation: &'static str, kind: ErrorKind) -> Self {
        Self::new(kind, format!("{operation}: {}", kind.sentence())).with_operation(operation)
    }

    /// The error for a call on a pool or store that has been closed.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(ErrorKind::Closed, "this has been closed: connect again to go on")
    }

    /// A value in `column` that `driver` could not read as the type it should have.
    pub fn decode(driver: &'static str, operation: &'static str, column: &str, source: impl Into<BoxError>) -> Self {
        let message = format!("{operation}: the column {column} cannot be read as the type it should have");
        Self::new(ErrorKind::Decode, message).with_driver(driver).with_operation(operation).with_source(source)
    }

    /// Replaces the outcome.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Names the driver that reported the failure.
    #[must_use]
    pub fn with_driver(mut self, driver: &'static str) -> Self {
        self.0.driver = Some(driver);
        self
    }

    /// Names the operation that failed.
    #[must_use]
    pub fn with_operation(mut self, operation: &'static str) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// Keeps the server's error packet.
    #[must_use]
    pub fn with_server(mut self, server: ServerError) -> Self {
        self.0.server = Some(server);
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What holds for the data.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The server's error packet, when there was one.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        self.0.server.as_ref()
    }

    /// The driver that reported the failure, such as `sqlx`; `None` when it never reached one.
    #[must_use]
    pub fn driver(&self) -> Option<&'static str> {
        self.0.driver
    }

    /// Whether the statement never left this machine.
    pub(crate) fn was_not_sent(&self) -> bool {
        self.source().is_some_and(|cause| matches!(Fault::of(cause), Fault::NotSent(_)))
    }

    /// The operation that failed, such as `trade`; `None` outside an operation.
    #[must_use]
    pub fn operation_name(&self) -> Option<&'static str> {
        self.0.operation
    }
}

impl ErrorKind {
    const fn usual_outcome(self) -> Outcome {
        match self {
            Self::Unreachable
            | Self::TooManyConnections
            | Self::TimedOut
            | Self::PoolExhausted
            | Self::ConnectionLost
            | Self::Conflict
            | Self::Unavailable => Outcome::Retryable,
            _ => Outcome::Final,
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Config => "a setting is wrong",
            Self::Unreachable => "the server cannot be reached",
            Self::Tls => "TLS failed",
            Self::AccessDenied => "user name or password was refused",
            Self::UnknownDatabase => "the database does not exist",
            Self::TooManyConnections => "the server accepts no further connection",
            Self::TimedOut => "the server did not answer in time",
            Self::Protocol => "the server's answer is not the MySQL protocol",
            Self::PoolExhausted => "every connection of the pool is in use",
            Self::Closed => "the pool is closed",
            Self::ConnectionLost => "the connection to the server was lost",
            Self::Conflict => "another transaction changed or locked the same rows",
            Self::Unavailable => "the server is busy or shutting down",
            Self::LimitExceeded => "a quota or size limit of the server was exceeded",
            Self::PermissionDenied => "the user lacks a privilege for the statement",
            Self::TableExists => "the table exists already",
            Self::TableMissing => "the table does not exist",
            Self::NotFound => "no row has this id",
            Self::AlreadyExists => "a row with the same unique value exists already",
            Self::OutOfRange => "a value does not fit its column",
            Self::UnexpectedNull => "a column that must hold a value holds NULL",
            Self::Decode => "a value from the server has an unexpected type",
            Self::InvalidInput => "an argument is not allowed",
            Self::InsufficientCoins => "buyer coins not enough",
            Self::InsufficientGoods => "seller goods not enough",
            Self::Database => "the server refused the statement",
            Self::Driver => "the driver failed",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, outcome, message, driver, operation, server, source } = &*self.0;
        let mut debug = f.debug_struct("Error");
        debug.field("kind", kind).field("outcome", outcome).field("message", message);
        if let Some(driver) = driver {
            debug.field("driver", driver);
        }
        if let Some(operation) = operation {
            debug.field("operation", operation);
        }
        if let Some(server) = server {
            debug.field("server", server);
        }
        if let Some(source) = source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn an_sqlstate_left_in_the_text_is_put_where_it_belongs() {
        let read = ServerError::new(1040, "HY000", "#08004Too many connections");
        assert_eq!(read, ServerError::new(1040, "08004", "Too many connections"));
        for text in ["Too many connections", "#0800", "#", ""] {
            assert_eq!(ServerError::new(1040, "HY000", text).message, text);
        }
    }

    fn lost(phase: Phase) -> Error {
        Error::operation("sqlx", "trade", phase, Fault::Lost, io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    #[test]
    fn a_connection_lost_once_a_write_has_left_is_unknown() {
        assert_eq!(lost(Phase::Read).outcome(), Outcome::Retryable);
        assert_eq!(lost(Phase::Transaction).outcome(), Outcome::Retryable);
        assert_eq!(lost(Phase::Commit).outcome(), Outcome::Unknown);
        assert_eq!(lost(Phase::Write).outcome(), Outcome::Unknown);
    }

    #[test]
    fn display_is_one_sentence_and_leaves_the_cause_to_the_chain() {
        let error = lost(Phase::Write);
        assert_eq!(
            error.to_string(),
            "trade: the connection to the server was lost; whether the change was applied is unknown, so look before trying again"
        );
        assert!(error.source().is_some_and(|cause| cause.to_string().contains("unexpected end of file")));
    }

    #[test]
    fn a_fault_is_found_below_wrappers() {
        let certificate = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, certificate));
        assert_eq!(Fault::of(&wrapped), Fault::Tls(TlsFault::UnknownAuthority));
        assert_eq!(Fault::of(&io::Error::from(io::ErrorKind::WouldBlock)), Fault::TimedOut);
        assert_eq!(Fault::of(&fmt::Error), Fault::Driver);
    }

    #[test]
    fn each_reason_of_rustls_that_a_person_can_act_on_is_recognised() {
        use rustls::{
            AlertDescription as Alert, CertificateError as Certificate, Error, InvalidMessage, OtherError,
            PeerIncompatible,
        };
        let certificate = Error::InvalidCertificate;
        let webpki = |name: &'static str| certificate(Certificate::Other(OtherError(Arc::new(io::Error::other(name)))));
        let name = || ServerName::try_from("localhost").expect("a name");
        let named = |presented: &[&str]| Certificate::NotValidForNameContext {
            expected: name(),
            presented: presented.iter().map(ToString::to_string).collect(),
        };
        for (error, expected) in [
            (certificate(Certificate::UnknownIssuer), TlsFault::UnknownAuthority),
            (certificate(Certificate::BadSignature), TlsFault::UnknownAuthority),
            (certificate(Certificate::NotValidForName), TlsFault::WrongName),
            (certificate(named(&["DnsName(\"db\")"])), TlsFault::WrongName),
            (certificate(named(&[])), TlsFault::NoName),
            (certificate(Certificate::Expired), TlsFault::Expired),
            (certificate(Certificate::NotValidYet), TlsFault::NotYetValid),
            (certificate(Certificate::InvalidPurpose), TlsFault::WrongPurpose),
            (certificate(Certificate::Revoked), TlsFault::Revoked),
            (certificate(Certificate::BadEncoding), TlsFault::Unreadable),
            (certificate(Certificate::UnhandledCriticalExtension), TlsFault::Unreadable),
            (webpki("UnsupportedCertVersion"), TlsFault::Unreadable),
            (webpki("CaUsedAsEndEntity"), TlsFault::OfAuthority),
            (Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13), TlsFault::NothingInCommon),
            (Error::AlertReceived(Alert::ProtocolVersion), TlsFault::NothingInCommon),
            (Error::AlertReceived(Alert::HandshakeFailure), TlsFault::NothingInCommon),
            (Error::AlertReceived(Alert::CertificateRequired), TlsFault::ClientCertificate),
            (Error::AlertReceived(Alert::BadCertificate), TlsFault::ClientCertificate),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), TlsFault::NotSpoken),
            (Error::General("anything".into()), TlsFault::Other),
        ] {
            let wrapped = io::Error::new(io::ErrorKind::InvalidData, error.clone());
            assert_eq!(Fault::of(&wrapped), Fault::Tls(expected), "{error:?}");
        }
        let foreign = io::Error::new(io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer");
        assert_eq!(Fault::of(&foreign), Fault::Tls(TlsFault::Other));
    }

    const PHASES: [Phase; 6] =
        [Phase::Connect, Phase::Read, Phase::Transaction, Phase::Commit, Phase::Write, Phase::Batch];

    /// Every kind that this toolchain knows, and every error number of the system.
    fn io_errors() -> impl Iterator<Item = io::Error> {
        use io::ErrorKind::*;
        let kinds = [
            NotFound,
            PermissionDenied,
            ConnectionRefused,
            ConnectionReset,
            HostUnreachable,
            NetworkUnreachable,
            ConnectionAborted,
            NotConnected,
            AddrInUse,
            AddrNotAvailable,
            NetworkDown,
            BrokenPipe,
            AlreadyExists,
            WouldBlock,
            NotADirectory,
            IsADirectory,
            DirectoryNotEmpty,
            ReadOnlyFilesystem,
            StaleNetworkFileHandle,
            InvalidInput,
            InvalidData,
            TimedOut,
            WriteZero,
            StorageFull,
            NotSeekable,
            QuotaExceeded,
            FileTooLarge,
            ResourceBusy,
            ExecutableFileBusy,
            Deadlock,
            TooManyLinks,
            InvalidFilename,
            ArgumentListTooLong,
            Interrupted,
            Unsupported,
            UnexpectedEof,
            OutOfMemory,
            Other,
        ];
        // Linux has 133; those of other systems lie within 255.
        kinds.into_iter().map(io::Error::from).chain((0..=255).map(io::Error::from_raw_os_error))
    }

    #[test]
    fn no_io_error_says_that_nothing_was_applied_once_a_commit_or_a_write_has_left() {
        for error in io_errors() {
            let wrapped = io::Error::new(error.kind(), error.to_string());
            for fault in [Fault::of(&error), Fault::of(&io::Error::other(error)), Fault::of(&wrapped)] {
                for phase in PHASES {
                    let (kind, outcome) = fault.classify(phase);
                    assert_eq!(outcome == Outcome::Unknown, phase.commits(), "{wrapped:?} is {kind:?} in {phase:?}");
                }
                assert_ne!(fault.leaves(), Connection::InStep, "{wrapped:?}");
                assert!(fault.ends_transaction(), "{wrapped:?}");
            }
        }
    }

    #[test]
    fn only_the_server_and_what_was_not_sent_say_that_nothing_was_applied() {
        let faults = [
            Fault::Refused,
            Fault::NoSuchHost,
            Fault::NoRoute,
            Fault::TimedOut,
            Fault::Lost,
            Fault::Tls(TlsFault::Other),
            Fault::LoginMethod,
            Fault::Protocol,
            Fault::TooLarge,
            Fault::Decode,
            Fault::Driver,
        ];
        for fault in faults {
            for phase in [Phase::Commit, Phase::Write, Phase::Batch] {
                assert_eq!(fault.classify(phase).1, Outcome::Unknown, "{fault:?} in {phase:?}");
            }
        }
        let server = Fault::Server(ServerError::new(1062, "23000", "Duplicate entry"));
        assert_eq!(server.classify(Phase::Write), (ErrorKind::AlreadyExists, Outcome::Final));
    }

    #[test]
    fn what_was_not_sent_is_never_unknown() {
        for why in [
            NotSent::Unusable,
            NotSent::AttemptOver(ErrorKind::Conflict),
            NotSent::EndsTransaction,
            NotSent::UnseenRows,
            NotSent::TooLarge,
            NotSent::Arguments,
        ] {
            let cause = io::Error::from(why);
            assert_eq!(Fault::of(&cause), Fault::NotSent(why));
            for phase in PHASES {
                let error = Error::operation("sqlx", "trade", phase, Fault::of(&cause), io::Error::from(why));
                // Of a batch, the driver may have sent rows before the one that it refused.
                let part = phase == Phase::Batch && matches!(why, NotSent::TooLarge | NotSent::Arguments);
                assert_eq!(error.outcome() == Outcome::Unknown, part, "{why:?} in {phase:?}");
                assert!(error.to_string().contains("was not sent") && error.was_not_sent(), "{error}");
            }
        }
    }

    #[test]
    fn a_statement_too_large_to_send_is_told_from_an_answer_too_large_to_read() {
        let (sent, read) = (Fault::NotSent(NotSent::TooLarge), Fault::TooLarge);
        assert_eq!(sent.classify(Phase::Commit), (ErrorKind::LimitExceeded, Outcome::Final));
        assert_eq!(read.classify(Phase::Commit), (ErrorKind::LimitExceeded, Outcome::Unknown));
        assert_eq!((sent.leaves(), read.leaves()), (Connection::InStep, Connection::Broken));
    }

    #[test]
    fn an_error_is_one_word() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
