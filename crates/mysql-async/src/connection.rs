//! A connection from the pool, used through the driver's own interface.

use std::{
    fmt,
    future::Future,
    io,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
};

use futures_util::future::BoxFuture;
use mysql_async::{
    BinaryProtocol, Conn, Error, FromRowError, IoError, Params, QueryResult, Row, Statement, TextProtocol,
    prelude::{AsQuery, FromRow, Queryable, StatementLike},
};
use tidb_connect_core::{
    Phase,
    pool::{Call, Lease},
    transaction::Verdict,
};

use crate::{
    Connector, Transaction,
    error::{failed, fault, without_panic},
};

type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// A connection on loan from the [`Pool`](crate::Pool): a [`Queryable`] of the driver, and read-only a [`Conn`].
///
/// It goes back to the pool when it is dropped, unless a call on it was dropped half-way, took longer than the
/// operation time-out, or broke it: then it is closed, and with it whatever the server was still doing.
///
/// The time-out covers `exec`, `exec_first`, `exec_drop` and their `query` twins as a whole; of the others, which hand
/// rows to the caller one by one, it covers the statement up to its first answer. In the same calls, a panic of
/// the driver, which there is on packets that are cut short, is an error.
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
    pub async fn ping(&mut self) -> tidb_connect_core::Result<()> {
        Queryable::ping(self).await.map_err(failed("ping", Phase::Read))
    }

    /// Starts a call; the connection is condemned until it has [settled](Running::settle).
    pub(crate) fn start(&mut self) -> Result<(&mut Conn, Running<'_>), Error> {
        let (connection, call) = self.lease.call().map_err(|unusable| Error::Io(IoError::Io(unusable.into())))?;
        Ok((connection, Running { call, verdict: &mut self.verdict }))
    }
}

/// What the driver knows of the last statement: affected rows, last insert id, the connection's id.
impl Deref for Connection {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.lease.connection()
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
    /// Waits for the answer, within the limit.
    pub(crate) async fn within<T>(mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let timed_out = || Error::Io(IoError::Io(io::ErrorKind::TimedOut.into()));
        let result = self.call.within(without_panic(answer)).await.unwrap_or_else(|| Err(timed_out()));
        self.settle(result.as_ref().err());
        result
    }

    /// After the server's answer, its error included, the connection is in step; after any other error it is not.
    fn settle(self, error: Option<&Error>) {
        let Some(error) = error else { return self.call.finish() };
        self.verdict.note(&fault(error));
        if error.is_fatal() { self.call.lost() } else { self.call.finish() }
    }
}

/// Makes a call of the driver's as one of the pool's; then does something with its output.
macro_rules! call {
    ($self:ident, $connection:ident => $call:expr $(, then $convert:expr)?) => {
        Box::pin(async move {
            let ($connection, running) = $self.start()?;
            running.within($call).await$(.map($convert))?
        })
    };
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
            fn ping(&mut self) -> Answer<'_, ()> {
                call!(self, connection => connection.ping())
            }

            fn query_iter<'a, Q>(&'a mut self, query: Q) -> Answer<'a, QueryResult<'a, 'static, TextProtocol>>
            where
                Q: AsQuery + 'a,
            {
                call!(self, connection => connection.query_iter(query))
            }

            fn prep<'a, Q>(&'a mut self, query: Q) -> Answer<'a, Statement>
            where
                Q: AsQuery + 'a,
            {
                call!(self, connection => connection.prep(query))
            }

            fn close(&mut self, statement: Statement) -> Answer<'_, ()> {
                call!(self, connection => connection.close(statement))
            }

            fn exec_iter<'a: 's, 's, Q, P>(
                &'a mut self,
                statement: Q,
                params: P,
            ) -> Answer<'s, QueryResult<'a, 'static, BinaryProtocol>>
            where
                Q: StatementLike + 's,
                P: Into<Params>,
            {
                let params = params.into();
                call!(self, connection => connection.exec_iter(statement, params))
            }

            fn exec_batch<'a: 'b, 'b, S, P, I>(&'a mut self, statement: S, params: I) -> Answer<'b, ()>
            where
                S: StatementLike + 'b,
                I: IntoIterator<Item = P> + Send + 'b,
                I::IntoIter: Send,
                P: Into<Params> + Send,
            {
                call!(self, connection => connection.exec_batch(statement, params))
            }

            fn query<'a, T, Q>(&'a mut self, query: Q) -> Answer<'a, Vec<T>>
            where
                Q: AsQuery + 'a,
                T: FromRow + Send + 'static,
            {
                call!(self, connection => connection.query(query), then Converted::get_all)
            }

            fn query_first<'a, T, Q>(&'a mut self, query: Q) -> Answer<'a, Option<T>>
            where
                Q: AsQuery + 'a,
                T: FromRow + Send + 'static,
            {
                call!(self, connection => connection.query_first(query), then |row| row.map(Converted::get))
            }

            fn query_drop<'a, Q>(&'a mut self, query: Q) -> Answer<'a, ()>
            where
                Q: AsQuery + 'a,
            {
                call!(self, connection => connection.query_drop(query))
            }

            fn exec<'a: 'b, 'b, T, S, P>(&'a mut self, statement: S, params: P) -> Answer<'b, Vec<T>>
            where
                S: StatementLike + 'b,
                P: Into<Params> + Send + 'b,
                T: FromRow + Send + 'static,
            {
                call!(self, connection => connection.exec(statement, params), then Converted::get_all)
            }

            fn exec_first<'a: 'b, 'b, T, S, P>(&'a mut self, statement: S, params: P) -> Answer<'b, Option<T>>
            where
                S: StatementLike + 'b,
                P: Into<Params> + Send + 'b,
                T: FromRow + Send + 'static,
            {
                call!(self, connection => connection.exec_first(statement, params), then |row| row.map(Converted::get))
            }

            fn exec_drop<'a: 'b, 'b, S, P>(&'a mut self, statement: S, params: P) -> Answer<'b, ()>
            where
                S: StatementLike + 'b,
                P: Into<Params> + Send + 'b,
            {
                call!(self, connection => connection.exec_drop(statement, params))
            }
        }
    };
}

queryable!(Connection);
queryable!(Transaction);
