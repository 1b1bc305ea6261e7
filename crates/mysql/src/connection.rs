//! A connection from the pool, used through the driver's own interface.

use std::{
    any::Any,
    fmt, io,
    net::SocketAddr,
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use mysql::{
    Binary, Conn, FromRowError, Params, QueryResult, Result, Row, Statement, Text, from_row, from_row_opt,
    prelude::{AsStatement, FromRow, Protocol, Queryable},
};
use socket2::Socket;
use tidb_connect_core::{
    NotSent, Phase,
    pool::{Call, Lease},
};

use crate::{
    Connector, Transaction,
    error::{failed, fault, not_sent, without_panic},
    options::MAX_ALLOWED_PACKET,
};

/// A connection on loan from the [`Pool`](crate::Pool): a [`Queryable`] of the driver, and read-only a [`Conn`].
///
/// It goes back to the pool when it is dropped, unless a call on it broke it: then it is closed. Each wait for the
/// server ends after the operation time-out, which breaks the connection too. It is closed as well when a transaction is open
/// on it or `autocommit` is off, as the first words of the statements tell: end what you `BEGIN`, or use
/// [`Pool::transaction`](crate::Pool::transaction).
///
/// `query_iter` and `exec_iter` hand out rows one by one, and the driver passes over an error among those that you do not
/// read. A panic of the driver, which there is on packets that are cut short, is an error of every call but these.
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
    pub fn ping(&mut self) -> tidb_connect_core::Result<()> {
        self.call(|connection, _| connection.ping()).map_err(failed("ping", Phase::Read))
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

    /// The handle that ends the connection from another thread.
    pub(crate) fn socket(&self) -> Arc<Socket> {
        self.lease.connection().socket()
    }

    fn connection(&mut self) -> &mut Self {
        self
    }

    /// Makes a call of the driver, after which the connection can be used again unless the call broke it.
    fn call<'a, T: 'a>(
        &'a mut self,
        call: impl FnOnce(&'a mut Conn, &mut Call<'a, Connector>) -> Result<T>,
    ) -> Result<T> {
        let (session, mut under_way) = self.lease.call().map_err(not_sent)?;
        let result = without_panic(|| call(&mut session.conn, &mut under_way));
        under_way.settle(result.as_ref().err().map(fault).as_ref());
        result
    }

    /// Runs `query` and makes `read` of its rows.
    fn text<T>(&mut self, query: &str, read: impl FnOnce(QueryResult<'_, '_, '_, Text>) -> Result<T>) -> Result<T> {
        self.call(|connection, call| {
            check_size(query)?;
            call.runs(query).map_err(not_sent)?;
            read(connection.query_iter(query)?)
        })
    }

    /// Runs `statement`, prepared where it is not yet, and makes `read` of its rows.
    fn binary<T>(
        &mut self,
        statement: impl AsStatement,
        params: impl Into<Params>,
        read: impl FnOnce(QueryResult<'_, '_, '_, Binary>) -> Result<T>,
    ) -> Result<T> {
        self.call(|connection, call| {
            let statement = statement.as_statement(&mut Preparing { connection: &mut *connection, call })?;
            read(connection.exec_iter(&*statement, params)?)
        })
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

/// Refuses what the driver would refuse as too large: its error does not tell whether that was the statement or the answer.
fn check_size(text: &str) -> Result<()> {
    if text.len() < MAX_ALLOWED_PACKET { Ok(()) } else { Err(not_sent(NotSent::TooLarge)) }
}

/// Sees the text of a statement that is prepared in order to be run.
struct Preparing<'a, 'b, 'c> {
    connection: &'a mut Conn,
    call: &'b mut Call<'c, Connector>,
}

impl Queryable for Preparing<'_, '_, '_> {
    fn prep<Q: AsRef<str>>(&mut self, query: Q) -> Result<Statement> {
        check_size(query.as_ref())?;
        self.call.runs(query.as_ref()).map_err(not_sent)?;
        self.connection.prep(query)
    }

    fn query_iter<Q: AsRef<str>>(&mut self, query: Q) -> Result<QueryResult<'_, '_, '_, Text>> {
        self.connection.query_iter(query)
    }

    fn close(&mut self, statement: Statement) -> Result<()> {
        self.connection.close(statement)
    }

    fn exec_iter<S, P>(&mut self, statement: S, params: P) -> Result<QueryResult<'_, '_, '_, Binary>>
    where
        S: AsStatement,
        P: Into<Params>,
    {
        self.connection.exec_iter(statement, params)
    }

    fn exec_batch<S, P, I>(&mut self, statement: S, params: I) -> Result<()>
    where
        S: AsStatement,
        P: Into<Params>,
        I: IntoIterator<Item = P>,
    {
        self.connection.exec_batch(statement, params)
    }
}

/// What a closure of the caller's has made of some rows, or its panic, which is not one of the driver's.
struct Folded<U>(Result<U, Box<dyn Any + Send>>);

impl<U> Folded<U> {
    /// Folds the rows of the first result, and reads all others too: the driver passes over an error among those that are
    /// left when it drops a result.
    fn of<P: Protocol>(
        mut result: QueryResult<'_, '_, '_, P>,
        init: U,
        mut fold: impl FnMut(U, Row) -> U,
    ) -> Result<Self> {
        let mut folded = Ok(init);
        if let Some(rows) = result.iter() {
            for row in rows {
                let row = row?;
                folded = folded.and_then(|value| catch_unwind(AssertUnwindSafe(|| fold(value, row))));
            }
        }
        while let Some(mut rows) = result.iter() {
            rows.try_for_each(|row| row.map(drop))?;
        }
        Ok(Self(folded))
    }

    fn get(self) -> U {
        self.0.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// The versions of MariaDB, which takes all rows of a batch at once, and none of a statement that returns rows. For other
/// servers, the driver sends one after the other, and passes over an error among the rows of an answer.
const MARIADB: (u16, u16, u16) = (10, 0, 0);

/// The first row.
fn first<P: Protocol>(result: QueryResult<'_, '_, '_, P>) -> Result<Option<Row>> {
    Folded::of(result, None, |first, row| first.or(Some(row))).map(Folded::get)
}

fn read_off<P: Protocol>(result: QueryResult<'_, '_, '_, P>) -> Result<()> {
    Folded::of(result, (), |(), _| ()).map(Folded::get)
}

/// Makes a type with a `connection` method a [`Queryable`]. What is missing here, such as `query` and `exec_map`, the driver
/// makes of what is here.
macro_rules! queryable {
    ($type:ty) => {
        impl Queryable for $type {
            fn query_iter<Q: AsRef<str>>(&mut self, query: Q) -> Result<QueryResult<'_, '_, '_, Text>> {
                self.connection().call(|connection, call| {
                    call.hands_out_rows().map_err(not_sent)?;
                    check_size(query.as_ref())?;
                    call.runs(query.as_ref()).map_err(not_sent)?;
                    connection.query_iter(query)
                })
            }

            fn prep<Q: AsRef<str>>(&mut self, query: Q) -> Result<Statement> {
                self.connection().call(|connection, call| {
                    check_size(query.as_ref())?;
                    call.prepares(query.as_ref()).map_err(not_sent)?;
                    connection.prep(query)
                })
            }

            fn close(&mut self, statement: Statement) -> Result<()> {
                self.connection().call(|connection, _| connection.close(statement))
            }

            fn exec_iter<S, P>(&mut self, statement: S, params: P) -> Result<QueryResult<'_, '_, '_, Binary>>
            where
                S: AsStatement,
                P: Into<Params>,
            {
                self.connection().call(|connection, call| {
                    call.hands_out_rows().map_err(not_sent)?;
                    let statement = statement.as_statement(&mut Preparing { connection: &mut *connection, call })?;
                    connection.exec_iter(&*statement, params)
                })
            }

            fn exec_batch<S, P, I>(&mut self, statement: S, params: I) -> Result<()>
            where
                S: AsStatement,
                P: Into<Params>,
                I: IntoIterator<Item = P>,
            {
                self.connection().call(|connection, call| {
                    let statement = statement.as_statement(&mut Preparing { connection: &mut *connection, call })?;
                    if connection.server_version() >= MARIADB {
                        return connection.exec_batch(&*statement, params);
                    }
                    params.into_iter().try_for_each(|params| read_off(connection.exec_iter(&*statement, params)?))
                })
            }

            fn query_first<T, Q>(&mut self, query: Q) -> Result<Option<T>>
            where
                Q: AsRef<str>,
                T: FromRow,
            {
                Ok(self.connection().text(query.as_ref(), first)?.map(from_row))
            }

            fn query_first_opt<T, Q>(&mut self, query: Q) -> Result<Option<Result<T, FromRowError>>>
            where
                Q: AsRef<str>,
                T: FromRow,
            {
                Ok(self.connection().text(query.as_ref(), first)?.map(from_row_opt))
            }

            fn query_fold<T, F, Q, U>(&mut self, query: Q, init: U, mut fold: F) -> Result<U>
            where
                Q: AsRef<str>,
                T: FromRow,
                F: FnMut(U, T) -> U,
            {
                let read = |result: QueryResult<'_, '_, '_, Text>| {
                    Folded::of(result, init, |value, row| fold(value, from_row(row)))
                };
                self.connection().text(query.as_ref(), read).map(Folded::get)
            }

            fn query_fold_opt<T, F, Q, U>(&mut self, query: Q, init: U, mut fold: F) -> Result<U>
            where
                Q: AsRef<str>,
                T: FromRow,
                F: FnMut(U, Result<T, FromRowError>) -> U,
            {
                let read = |result: QueryResult<'_, '_, '_, Text>| {
                    Folded::of(result, init, |value, row| fold(value, from_row_opt(row)))
                };
                self.connection().text(query.as_ref(), read).map(Folded::get)
            }

            fn query_drop<Q>(&mut self, query: Q) -> Result<()>
            where
                Q: AsRef<str>,
            {
                self.connection().text(query.as_ref(), read_off)
            }

            fn exec_first<T, S, P>(&mut self, statement: S, params: P) -> Result<Option<T>>
            where
                S: AsStatement,
                P: Into<Params>,
                T: FromRow,
            {
                Ok(self.connection().binary(statement, params, first)?.map(from_row))
            }

            fn exec_first_opt<T, S, P>(&mut self, statement: S, params: P) -> Result<Option<Result<T, FromRowError>>>
            where
                S: AsStatement,
                P: Into<Params>,
                T: FromRow,
            {
                Ok(self.connection().binary(statement, params, first)?.map(from_row_opt))
            }

            fn exec_fold<T, S, P, U, F>(&mut self, statement: S, params: P, init: U, mut fold: F) -> Result<U>
            where
                S: AsStatement,
                P: Into<Params>,
                T: FromRow,
                F: FnMut(U, T) -> U,
            {
                let read = |result: QueryResult<'_, '_, '_, Binary>| {
                    Folded::of(result, init, |value, row| fold(value, from_row(row)))
                };
                self.connection().binary(statement, params, read).map(Folded::get)
            }

            fn exec_fold_opt<T, S, P, U, F>(&mut self, statement: S, params: P, init: U, mut fold: F) -> Result<U>
            where
                S: AsStatement,
                P: Into<Params>,
                T: FromRow,
                F: FnMut(U, Result<T, FromRowError>) -> U,
            {
                let read = |result: QueryResult<'_, '_, '_, Binary>| {
                    Folded::of(result, init, |value, row| fold(value, from_row_opt(row)))
                };
                self.connection().binary(statement, params, read).map(Folded::get)
            }

            fn exec_drop<S, P>(&mut self, statement: S, params: P) -> Result<()>
            where
                S: AsStatement,
                P: Into<Params>,
            {
                self.connection().binary(statement, params, read_off)
            }
        }
    };
}

queryable!(Connection);
queryable!(Transaction<'_>);
