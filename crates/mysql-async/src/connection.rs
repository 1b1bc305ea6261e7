//! A connection from the pool, used through the driver's own interface.

use std::{
    any::Any,
    fmt, io,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

use futures_util::future::BoxFuture;
use mysql_async::{
    BinaryProtocol, Conn, Error, IoError, Params, QueryResult, Row, Statement, TextProtocol,
    consts::StatusFlags,
    from_row,
    prelude::{AsQuery, FromRow, Protocol, Queryable, StatementLike},
};
use tidb_connect_core::{
    NotSent, Phase,
    pool::{Call, Lease},
};

use crate::{
    Connector, Transaction,
    error::{failed, fault, not_sent, without_panic},
    options::MAX_ALLOWED_PACKET,
};

type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// A connection on loan from the [`Pool`](crate::Pool): a [`Queryable`] of the driver, and read-only a [`Conn`].
///
/// It goes back to the pool when it is dropped, unless a call on it was dropped half-way, took longer than the
/// operation time-out, or broke it: then it is closed, and with it whatever the server was still doing. It is closed as well
/// when a transaction is open on it or `autocommit` is off, as the server's status tells: end what you `BEGIN`, or use
/// [`Pool::transaction`](crate::Pool::transaction).
///
/// `query_iter`, `exec_iter` and the streams hand out rows one by one, and the driver does not show whether all were read:
/// unless another call follows, the connection is closed too. The time-out covers their statement up to its first answer; in
/// all other calls, each wait for the server. In those, a panic of the driver, which there is on packets that are cut short,
/// is an error.
pub struct Connection {
    pub(crate) lease: Lease<Connector>,
}

impl Connection {
    pub(crate) fn new(lease: Lease<Connector>) -> Self {
        Self { lease }
    }

    /// Asks the server whether it is there and willing: one round trip. A TiDB that is about to shut down refuses it.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn ping(&mut self) -> tidb_connect_core::Result<()> {
        Queryable::ping(self).await.map_err(failed("ping", Phase::Read))
    }

    fn connection(&mut self) -> &mut Self {
        self
    }

    /// Starts a call; the connection is condemned until it has settled.
    fn start(&mut self) -> Result<(&mut Conn, Call<'_, Connector>), Error> {
        let (connection, mut call) = self.lease.call().map_err(not_sent)?;
        // Whoever handed out rows one by one could not look. Within a transaction, nobody does.
        let _ = saw(connection, &mut call);
        Ok((connection, call))
    }
}

/// Takes note of the server's status after its last answer, which an error does not show.
fn saw(connection: &Conn, call: &mut Call<'_, Connector>) -> Result<(), Error> {
    let Some(ok) = connection.last_ok_packet() else { return Ok(()) };
    let has = |flag| ok.status_flags().contains(flag);
    let seen = call.saw(has(StatusFlags::SERVER_STATUS_IN_TRANS), has(StatusFlags::SERVER_STATUS_AUTOCOMMIT));
    seen.map_err(|ended| Error::Io(IoError::Io(ended.into())))
}

/// Refuses what the driver would refuse as too large: its error does not tell whether that was the statement or the answer.
fn check_size(query: &impl AsQuery) -> Result<(), Error> {
    if query.as_query().len() < MAX_ALLOWED_PACKET { Ok(()) } else { Err(not_sent(NotSent::TooLarge)) }
}

/// Refuses, too, what would end a transaction: a `BEGIN` within one commits it, and the status after it does not tell.
fn check(call: &mut Call<'_, Connector>, query: &impl AsQuery) -> Result<(), Error> {
    check_size(query)?;
    call.prepares(&String::from_utf8_lossy(&query.as_query())).map_err(not_sent)
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

fn timed_out() -> Error {
    Error::Io(IoError::Io(io::ErrorKind::TimedOut.into()))
}

/// What a closure of the caller's has made of some rows, or its panic, which is not one of the driver's.
struct Folded<U>(Result<U, Box<dyn Any + Send>>);

impl<U> Folded<U> {
    /// Folds the rows of the first result, and reads all others too.
    async fn of<P: Protocol>(
        mut result: QueryResult<'_, 'static, P>,
        progress: &AtomicBool,
        init: U,
        mut fold: impl FnMut(U, Row) -> U,
    ) -> Result<Self, Error> {
        let mut folded = Ok(init);
        // Without this, `next` would go on to the next result where the first has no rows.
        if !result.is_empty() {
            while let Some(row) = result.next().await? {
                progress.store(true, Ordering::Relaxed);
                folded = folded.and_then(|value| catch_unwind(AssertUnwindSafe(|| fold(value, row))));
            }
        }
        result.drop_result().await?;
        Ok(Self(folded))
    }

    fn get(self) -> U {
        self.0.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Makes a call of the driver's as one of the pool's, if it passes the check. What is to come of `progress` counts as an answer of the server.
macro_rules! call {
    ($self:ident, ($connection:ident, $call:ident, $progress:ident), $check:expr => $body:expr) => {
        Box::pin(async move {
            let ($connection, mut $call) = $self.connection().start()?;
            let progress = AtomicBool::new(false);
            let $progress = &progress;
            let result = match $check {
                Ok(()) => {
                    let answer = $call.within($progress, without_panic(async { $body })).await;
                    answer.unwrap_or_else(|| Err(timed_out()))
                }
                Err(error) => Err(error),
            };
            let result = result.and_then(|value| saw($connection, &mut $call).map(|()| value));
            $call.settle(result.as_ref().err().map(fault).as_ref());
            result
        })
    };
}

/// Makes a call of the driver's whose rows the caller reads after it.
macro_rules! call_for_rows {
    ($self:ident, ($connection:ident) => $body:expr) => {
        Box::pin(async move {
            let ($connection, mut call) = $self.connection().start()?;
            let refused = call.hands_out_rows().map_err(not_sent);
            let result = match refused {
                Ok(()) => {
                    let answer = call.within(&AtomicBool::new(false), without_panic(async { $body })).await;
                    answer.unwrap_or_else(|| Err(timed_out()))
                }
                Err(error) => Err(error),
            };
            call.settle(result.as_ref().err().map(fault).as_ref());
            result
        })
    };
}

/// Makes a type with a `connection` method a [`Queryable`]. What is missing here, such as `query_map` and the streams, the
/// driver makes of what is here.
macro_rules! queryable {
    ($type:ty) => {
        impl Queryable for $type {
            fn ping(&mut self) -> Answer<'_, ()> {
                call!(self, (connection, call, _progress), Ok(()) => connection.ping().await)
            }

            fn query_iter<'a, Q>(&'a mut self, query: Q) -> Answer<'a, QueryResult<'a, 'static, TextProtocol>>
            where
                Q: AsQuery + 'a,
            {
                call_for_rows!(self, (connection) => {
                    check_size(&query)?;
                    connection.query_iter(query).await
                })
            }

            fn prep<'a, Q>(&'a mut self, query: Q) -> Answer<'a, Statement>
            where
                Q: AsQuery + 'a,
            {
                call!(self, (connection, call, _progress), check(&mut call, &query) => connection.prep(query).await)
            }

            fn close(&mut self, statement: Statement) -> Answer<'_, ()> {
                call!(self, (connection, call, _progress), Ok(()) => connection.close(statement).await)
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
                call_for_rows!(self, (connection) => connection.exec_iter(statement, params).await)
            }

            fn exec_batch<'a: 'b, 'b, S, P, I>(&'a mut self, statement: S, params: I) -> Answer<'b, ()>
            where
                S: StatementLike + 'b,
                I: IntoIterator<Item = P> + Send + 'b,
                I::IntoIter: Send,
                P: Into<Params> + Send,
            {
                call!(self, (connection, call, progress), Ok(()) => {
                    // The driver asks for the next row's when the server has answered to this row's.
                    let params = params.into_iter().inspect(|_| progress.store(true, Ordering::Relaxed));
                    connection.exec_batch(statement, params).await
                })
            }

            fn query<'a, T, Q>(&'a mut self, query: Q) -> Answer<'a, Vec<T>>
            where
                Q: AsQuery + 'a,
                T: FromRow + Send + 'static,
            {
                self.query_map(query, |row| row)
            }

            fn query_first<'a, T, Q>(&'a mut self, query: Q) -> Answer<'a, Option<T>>
            where
                Q: AsQuery + 'a,
                T: FromRow + Send + 'static,
            {
                let first = self.query_fold(query, None, |first: Option<Row>, row: Row| first.or(Some(row)));
                Box::pin(async move { Ok(first.await?.map(from_row)) })
            }

            fn query_fold<'a, T, F, Q, U>(&'a mut self, query: Q, init: U, mut fold: F) -> Answer<'a, U>
            where
                Q: AsQuery + 'a,
                T: FromRow + Send + 'static,
                F: FnMut(U, T) -> U + Send + 'a,
                U: Send + 'a,
            {
                let folded: Answer<'a, Folded<U>> = call!(self, (connection, call, progress), check(&mut call, &query) => {
                    let rows = connection.query_iter(query).await?;
                    Folded::of(rows, progress, init, |value, row| fold(value, from_row(row))).await
                });
                Box::pin(async move { folded.await.map(Folded::get) })
            }

            fn query_drop<'a, Q>(&'a mut self, query: Q) -> Answer<'a, ()>
            where
                Q: AsQuery + 'a,
            {
                self.query_fold(query, (), |(), _: Row| ())
            }

            fn exec<'a: 'b, 'b, T, S, P>(&'a mut self, statement: S, params: P) -> Answer<'b, Vec<T>>
            where
                S: StatementLike + 'b,
                P: Into<Params> + Send + 'b,
                T: FromRow + Send + 'static,
            {
                self.exec_map(statement, params, |row| row)
            }

            fn exec_first<'a: 'b, 'b, T, S, P>(&'a mut self, statement: S, params: P) -> Answer<'b, Option<T>>
            where
                S: StatementLike + 'b,
                P: Into<Params> + Send + 'b,
                T: FromRow + Send + 'static,
            {
                let first =
                    self.exec_fold(statement, params, None, |first: Option<Row>, row: Row| first.or(Some(row)));
                Box::pin(async move { Ok(first.await?.map(from_row)) })
            }

            fn exec_fold<'a: 'b, 'b, T, S, P, U, F>(
                &'a mut self,
                statement: S,
                params: P,
                init: U,
                mut fold: F,
            ) -> Answer<'b, U>
            where
                S: StatementLike + 'b,
                P: Into<Params> + Send + 'b,
                T: FromRow + Send + 'static,
                F: FnMut(U, T) -> U + Send + 'a,
                U: Send + 'a,
            {
                let folded: Answer<'b, Folded<U>> = call!(self, (connection, call, progress), Ok(()) => {
                    let rows = connection.exec_iter(statement, params).await?;
                    Folded::of(rows, progress, init, |value, row| fold(value, from_row(row))).await
                });
                Box::pin(async move { folded.await.map(Folded::get) })
            }

            fn exec_drop<'a: 'b, 'b, S, P>(&'a mut self, statement: S, params: P) -> Answer<'b, ()>
            where
                S: StatementLike + 'b,
                P: Into<Params> + Send + 'b,
            {
                self.exec_fold(statement, params, (), |(), _: Row| ())
            }
        }
    };
}

queryable!(Connection);
queryable!(Transaction);
