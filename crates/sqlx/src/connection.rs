//! A connection from the pool, used through the driver's own interface.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    future::BoxFuture,
    stream::{self, BoxStream, Stream, StreamExt},
};
use sqlx::{
    Describe, Either, Error, Execute, Executor, MySql,
    mysql::{MySqlQueryResult, MySqlRow, MySqlStatement, MySqlTypeInfo},
};
use tidb_connect_core::pool::{Call, Lease};
use tokio::time::{Sleep, sleep, timeout};

use crate::Connector;

/// A connection on loan from the [`Pool`](crate::Pool): `&mut Connection` is an sqlx [`Executor`].
///
/// It goes back to the pool when it is dropped, unless a call on it was dropped half-way, took longer than the
/// operation time-out, or broke it: then it is closed, and with it whatever the server was still doing.
///
/// Transactions opened by hand (`BEGIN` as a statement) are not seen: end them before dropping the connection.
pub struct Connection {
    lease: Lease<Connector>,
    limit: Duration,
}

impl Connection {
    pub(crate) fn new(lease: Lease<Connector>, limit: Duration) -> Self {
        Self { lease, limit }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl<'c> Executor<'c> for &'c mut Connection {
    type Database = MySql;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<MySqlQueryResult, MySqlRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, MySql>,
    {
        match self.lease.call() {
            Ok((connection, call)) => {
                let rows = connection.fetch_many(query);
                Box::pin(Rows { rows, call: Some(call), limit: self.limit, clock: None })
            }
            Err(unusable) => stream::once(async move { Err(Error::Io(unusable.into())) }).boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<MySqlRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, MySql>,
    {
        let limit = self.limit;
        let lease = self.lease.call().map(|(connection, call)| (connection.fetch_optional(query), call));
        Box::pin(async move {
            let (row, call) = lease.map_err(|unusable| Error::Io(unusable.into()))?;
            within(limit, row, call).await
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
            let (connection, call) = self.lease.call().map_err(|unusable| Error::Io(unusable.into()))?;
            within(self.limit, connection.prepare_with(sql, parameters), call).await
        })
    }

    fn describe<'e, 'q: 'e>(self, sql: &'q str) -> BoxFuture<'e, Result<Describe<MySql>, Error>>
    where
        'c: 'e,
    {
        Box::pin(async move {
            let (connection, call) = self.lease.call().map_err(|unusable| Error::Io(unusable.into()))?;
            within(self.limit, connection.describe(sql), call).await
        })
    }
}

async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Error>>,
    call: Call<'_, Connector>,
) -> Result<T, Error> {
    let result = timeout(limit, answer).await.unwrap_or_else(|_| Err(timed_out()));
    settle(call, result.as_ref().err());
    result
}

/// After the server's answer, its error included, the connection is in step; after any other error it is not.
fn settle(call: Call<'_, Connector>, error: Option<&Error>) {
    match error {
        None | Some(Error::Database(_) | Error::RowNotFound | Error::Encode(_)) => call.finish(),
        Some(_) => call.lost(),
    }
}

fn timed_out() -> Error {
    Error::Io(io::ErrorKind::TimedOut.into())
}

/// Rows on their way, each within the limit; the clock is only set when a row has to be waited for.
struct Rows<'e> {
    rows: BoxStream<'e, Result<Either<MySqlQueryResult, MySqlRow>, Error>>,
    /// `None` once the last row, or an error, has been given out.
    call: Option<Call<'e, Connector>>,
    limit: Duration,
    clock: Option<Pin<Box<Sleep>>>,
}

impl Stream for Rows<'_> {
    type Item = Result<Either<MySqlQueryResult, MySqlRow>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.call.is_none() {
            return Poll::Ready(None);
        }
        let item = match this.rows.poll_next_unpin(cx) {
            Poll::Ready(item) => item,
            Poll::Pending => {
                let limit = this.limit;
                let clock = this.clock.get_or_insert_with(|| Box::pin(sleep(limit)));
                match clock.as_mut().poll(cx) {
                    Poll::Ready(()) => Some(Err(timed_out())),
                    Poll::Pending => return Poll::Pending,
                }
            }
        };
        this.clock = None;
        if !matches!(item, Some(Ok(_))) {
            if let Some(call) = this.call.take() {
                settle(call, item.as_ref().and_then(|item| item.as_ref().err()));
            }
        }
        Poll::Ready(item)
    }
}
