//! A connection from the pool, used through the driver's own interface.

use std::{
    fmt,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::atomic::AtomicBool,
    task::{Context, Poll, ready},
};

use futures_util::{
    future::BoxFuture,
    stream::{self, BoxStream, Stream, StreamExt, TryStreamExt},
};
use sqlx::{
    Connection as _, Describe, Either, Error, Execute, Executor, MySql, MySqlConnection,
    mysql::{MySqlQueryResult, MySqlRow, MySqlStatement, MySqlTypeInfo},
};
use tidb_connect_core::{
    Phase,
    pool::{Call, Lease},
};

use crate::{
    Connector, Transaction,
    error::{failed, fault, not_sent, panicked, without_panic},
};

/// A connection on loan from the [`Pool`](crate::Pool): `&mut Connection` is an sqlx [`Executor`].
///
/// It goes back to the pool when it is dropped, unless a call on it was dropped half-way, took longer than the
/// operation time-out, or broke it: then it is closed, and with it whatever the server was still doing. It is closed as well
/// when a stream was dropped before its end, and when a transaction is open on it or `autocommit` is off, as the first words
/// of the statements tell: end what you `BEGIN`, or use [`Pool::transaction`](crate::Pool::transaction).
///
/// `fetch_one` and `fetch_optional` read the whole answer, so that no row of it reaches the next caller: put a `LIMIT` into
/// a query that finds many.
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
        let pinged = match self.start() {
            Ok((connection, running)) => running.within(connection.ping()).await,
            Err(error) => Err(error),
        };
        pinged.map_err(failed("ping", Phase::Read))
    }

    /// Starts a call; the connection is condemned until it has [settled](Running::settle).
    pub(crate) fn start(&mut self) -> Result<(&mut MySqlConnection, Running<'_>), Error> {
        let (connection, call) = self.lease.call().map_err(not_sent)?;
        Ok((connection, Running(call)))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("lease", &self.lease).finish_non_exhaustive()
    }
}

/// A call under way.
pub(crate) struct Running<'a>(Call<'a, Connector>);

impl Running<'_> {
    /// Waits for the answer, within the limit.
    async fn within<T>(mut self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let result = self.0.within(&AtomicBool::new(false), without_panic(answer)).await;
        let result = result.unwrap_or_else(|| Err(timed_out()));
        self.settle(result.as_ref().err());
        result
    }

    fn settle(self, error: Option<&Error>) {
        self.0.settle(error.map(fault).as_ref());
    }
}

fn timed_out() -> Error {
    Error::Io(io::ErrorKind::TimedOut.into())
}

/// Makes `&mut` of a type with a `start` method an [`Executor`].
macro_rules! executor {
    ($type:ty) => {
        impl<'c> Executor<'c> for &'c mut $type {
            type Database = MySql;

            fn fetch_many<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxStream<'e, Result<Either<MySqlQueryResult, MySqlRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, MySql>,
            {
                match self.start().and_then(|(connection, running)| Rows::of(connection, running, query)) {
                    Ok(rows) => Box::pin(rows),
                    Err(error) => stream::once(async move { Err(error) }).boxed(),
                }
            }

            fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<MySqlRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, MySql>,
            {
                let rows = self.start().and_then(|(connection, running)| Rows::of(connection, running, query));
                Box::pin(async move {
                    let (mut rows, mut first) = (rows?, None);
                    while let Some(item) = rows.try_next().await? {
                        first = first.or(item.right());
                    }
                    Ok(first)
                })
            }

            fn prepare_with<'e, 'q: 'e>(
                self,
                sql: &'q str,
                parameters: &'e [MySqlTypeInfo],
            ) -> BoxFuture<'e, Result<MySqlStatement<'q>, Error>>
            where
                'c: 'e,
            {
                Box::pin(async move {
                    let (connection, running) = self.start()?;
                    running.within(connection.prepare_with(sql, parameters)).await
                })
            }

            fn describe<'e, 'q: 'e>(self, sql: &'q str) -> BoxFuture<'e, Result<Describe<MySql>, Error>>
            where
                'c: 'e,
            {
                Box::pin(async move {
                    let (connection, running) = self.start()?;
                    running.within(connection.describe(sql)).await
                })
            }
        }
    };
}

executor!(Connection);
executor!(Transaction);

/// Rows on their way, each within the limit.
struct Rows<'e> {
    rows: BoxStream<'e, Result<Either<MySqlQueryResult, MySqlRow>, Error>>,
    /// `None` once the last row, or an error, has been given out.
    running: Option<Running<'e>>,
}

impl<'e> Rows<'e> {
    fn of<'q: 'e>(
        connection: &'e mut MySqlConnection,
        Running(mut call): Running<'e>,
        query: impl Execute<'q, MySql> + 'q,
    ) -> Result<Self, Error> {
        if let Err(why) = call.runs(query.sql()) {
            let error = not_sent(why);
            Running(call).settle(Some(&error));
            return Err(error);
        }
        Ok(Self { rows: connection.fetch_many(query), running: Some(Running(call)) })
    }
}

impl Stream for Rows<'_> {
    type Item = Result<Either<MySqlQueryResult, MySqlRow>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(running) = &mut this.running else { return Poll::Ready(None) };
        let polled = catch_unwind(AssertUnwindSafe(|| this.rows.poll_next_unpin(cx)));
        let item = match polled.unwrap_or_else(|_| Poll::Ready(Some(Err(panicked())))) {
            Poll::Ready(item) => item,
            Poll::Pending => {
                ready!(running.0.poll_timed_out(cx));
                Some(Err(timed_out()))
            }
        };
        running.0.answered();
        if !matches!(item, Some(Ok(_)))
            && let Some(running) = this.running.take()
        {
            running.settle(item.as_ref().and_then(|item| item.as_ref().err()));
        }
        Poll::Ready(item)
    }
}
