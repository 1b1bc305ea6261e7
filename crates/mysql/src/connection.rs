//! A connection from the pool, used through the driver's own interface.

use std::{
    fmt, io,
    net::SocketAddr,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    thread,
};

use mysql::{
    Binary, Conn, Error, FromRowError, Params, QueryResult, Result, Row, Statement, Text,
    prelude::{AsStatement, FromRow, Protocol, Queryable},
};
use socket2::Socket;
use tidb_connect_core::{
    Phase,
    pool::{Call, Lease},
    transaction::Verdict,
};

use crate::{
    Connector, Transaction,
    error::{failed, fault, without_panic},
};

/// A connection on loan from the [`Pool`](crate::Pool): a [`Queryable`] of the driver, and read-only a [`Conn`].
///
/// It goes back to the pool when it is dropped, unless a call on it broke it: then it is closed. Each wait for the
/// server ends after the operation time-out, which breaks the connection too.
///
/// A failure met while rows are read one by one (`*_iter`, `*_map`, `*_fold`, `*_opt`) is not seen here: the connection
/// goes back, and its next user finds it broken. Nor is a panic of the driver, which there is on packets that are cut short;
/// of any other call it is an error.
///
/// Transactions opened by hand (`BEGIN` as a statement) are not seen: end them before dropping the connection, or use
/// [`Pool::transaction`](crate::Pool::transaction).
pub struct Connection {
    lease: Lease<Connector>,
    pub(crate) verdict: Verdict,
}

impl Connection {
    pub(crate) fn new(lease: Lease<Connector>) -> Self {
        Self { lease, verdict: Verdict::default() }
    }

    /// Asks the server whether it is there and willing: one round trip. A TiDB that is about to shut down refuses it.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub fn ping(&mut self) -> tidb_connect_core::Result<()> {
        let pinged = self.start().and_then(|(connection, running)| {
            let pinged = without_panic(|| connection.ping());
            running.settle(pinged.as_ref().err());
            pinged
        });
        pinged.map_err(failed("ping", Phase::Read))
    }

    /// This end of the connection. The server's process list shows it too; another one there means that something in
    /// between passes the connection on.
    ///
    /// # Errors
    /// When the system does not know, as after the connection has ended.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.socket().local_addr()?;
        address.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// Starts a call; the connection is condemned until it has [settled](Running::settle).
    pub(crate) fn start(&mut self) -> Result<(&mut Conn, Running<'_>)> {
        let (session, call) = self.lease.call().map_err(|unusable| Error::IoError(unusable.into()))?;
        Ok((&mut session.conn, Running { call, verdict: &mut self.verdict }))
    }

    /// Keeps the connection from going back to the pool.
    pub(crate) fn condemn(&mut self) {
        // An error means that it is condemned already.
        let _ = self.lease.call();
    }

    /// The handle that ends the connection from another thread.
    pub(crate) fn socket(&self) -> Arc<Socket> {
        self.lease.connection().socket()
    }
}

/// What the driver knows of the last statement: affected rows, last insert id, the connection's id.
impl Deref for Connection {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.lease.connection().conn
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("lease", &self.lease).finish_non_exhaustive()
    }
}

/// A call under way.
pub(crate) struct Running<'a> {
    call: Call<'a, Connector>,
    verdict: &'a mut Verdict,
}

impl Running<'_> {
    /// After the server's answer, its error included, the connection is in step; after any other error it is not.
    pub(crate) fn settle(self, error: Option<&Error>) {
        let Some(error) = error else { return self.call.finish() };
        self.verdict.note(&fault(error));
        match error {
            Error::MySqlError(_) | Error::FromValueError(_) | Error::FromRowError(_) => self.call.finish(),
            _ => self.call.lost(),
        }
    }
}

/// Makes a call of the driver's as one of the pool's.
macro_rules! call {
    ($self:ident, $connection:ident => $call:expr) => {{
        let ($connection, running) = $self.start()?;
        let result = without_panic(|| $call);
        running.settle(result.as_ref().err());
        result
    }};
}

/// Reads all rows, and an error among them, which the driver passes over when it drops a result.
fn read_off<P: Protocol>(mut result: QueryResult<'_, '_, '_, P>) -> Result<()> {
    while let Some(mut set) = result.iter() {
        set.try_for_each(|row| row.map(drop))?;
    }
    Ok(())
}

/// A row as the caller wants it, or the panic of that conversion, which is the caller's and none of the driver's.
struct Converted<T>(thread::Result<T>);

impl<T: FromRow> FromRow for Converted<T> {
    fn from_row_opt(row: Row) -> Result<Self, FromRowError> {
        Ok(Self(catch_unwind(AssertUnwindSafe(|| T::from_row(row)))))
    }
}

impl<T> Converted<T> {
    fn get(self) -> T {
        self.0.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn get_all(rows: Vec<Self>) -> Vec<T> {
        rows.into_iter().map(Self::get).collect()
    }
}

/// Makes a type with a `start` method a [`Queryable`].
macro_rules! queryable {
    ($type:ty) => {
        impl Queryable for $type {
            fn query_iter<Q: AsRef<str>>(&mut self, query: Q) -> Result<QueryResult<'_, '_, '_, Text>> {
                call!(self, connection => connection.query_iter(query))
            }

            fn prep<Q: AsRef<str>>(&mut self, query: Q) -> Result<Statement> {
                call!(self, connection => connection.prep(query))
            }

            fn close(&mut self, statement: Statement) -> Result<()> {
                call!(self, connection => connection.close(statement))
            }

            fn exec_iter<S, P>(&mut self, statement: S, params: P) -> Result<QueryResult<'_, '_, '_, Binary>>
            where
                S: AsStatement,
                P: Into<Params>,
            {
                call!(self, connection => connection.exec_iter(statement, params))
            }

            fn exec_batch<S, P, I>(&mut self, statement: S, params: I) -> Result<()>
            where
                S: AsStatement,
                P: Into<Params>,
                I: IntoIterator<Item = P>,
            {
                call!(self, connection => connection.exec_batch(statement, params))
            }

            fn query<T, Q>(&mut self, query: Q) -> Result<Vec<T>>
            where
                Q: AsRef<str>,
                T: FromRow,
            {
                call!(self, connection => connection.query(query)).map(Converted::get_all)
            }

            fn query_first<T, Q>(&mut self, query: Q) -> Result<Option<T>>
            where
                Q: AsRef<str>,
                T: FromRow,
            {
                call!(self, connection => connection.query_first(query)).map(|row| row.map(Converted::get))
            }

            fn query_drop<Q>(&mut self, query: Q) -> Result<()>
            where
                Q: AsRef<str>,
            {
                call!(self, connection => connection.query_iter(query).and_then(read_off))
            }

            fn exec<T, S, P>(&mut self, statement: S, params: P) -> Result<Vec<T>>
            where
                S: AsStatement,
                P: Into<Params>,
                T: FromRow,
            {
                call!(self, connection => connection.exec(statement, params)).map(Converted::get_all)
            }

            fn exec_first<T, S, P>(&mut self, statement: S, params: P) -> Result<Option<T>>
            where
                S: AsStatement,
                P: Into<Params>,
                T: FromRow,
            {
                call!(self, connection => connection.exec_first(statement, params)).map(|row| row.map(Converted::get))
            }

            fn exec_drop<S, P>(&mut self, statement: S, params: P) -> Result<()>
            where
                S: AsStatement,
                P: Into<Params>,
            {
                call!(self, connection => connection.exec_iter(statement, params).and_then(read_off))
            }
        }
    };
}

queryable!(Connection);
queryable!(Transaction<'_>);
