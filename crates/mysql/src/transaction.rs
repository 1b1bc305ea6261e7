//! Transactions that are tried again as a whole, for tables of your own.

use std::{
    future::{Future, ready},
    ops::Deref,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use mysql::{Conn, prelude::Queryable};
use tidb_connect_core::{
    Committed, Phase, Result, TransactionError, TransactionOptions,
    transaction::{Handle, Session, Sessions, Verdict, run, run_on},
};

use crate::{Connection, Pool, error::failed};

/// A transaction under way: a [`Queryable`] of the driver, and read-only a [`Conn`].
///
/// It runs statements and can neither begin nor commit: [`Pool::transaction`] does, when the closure has returned. It
/// refuses:
///
/// - every further statement after one that ended the attempt (a conflict, a time-out), since the server may have rolled
///   back already, so that they would be applied one by one;
/// - `COMMIT`, DDL and whatever else commits or ends a transaction by its first words. What a procedure does, a statement
///   prepared in SQL (`EXECUTE`), or one that was prepared before the transaction, is not seen;
/// - `query_iter` and `exec_iter`, because an error among rows that they hand out one by one would not be seen. Use `query`,
///   `exec` or one of their variants; [`affected_rows`](Conn::affected_rows) is there after each of them.
#[derive(Debug)]
pub struct Transaction<'a>(&'a mut Handle<Connection>);

impl Transaction<'_> {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.0.session_mut()
    }
}

/// What the driver knows of the last statement: affected rows, last insert id, the connection's id.
impl Deref for Transaction<'_> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.0.session()
    }
}

impl Pool {
    /// Runs `work` in a transaction, and all of it again when it meets a conflict.
    ///
    /// With [`TransactionOptions::new`]: pessimistic, up to 10 attempts within 30 s. `work` runs once an attempt, so it
    /// must do nothing outside the transaction that may not happen twice.
    ///
    /// When `work` panics, the connection is closed, and the server rolls back.
    ///
    /// ```no_run
    /// use tidb_connect_mysql::{
    ///     ConnectionConfig, TransactionError, connect,
    ///     mysql::{self, prelude::*},
    /// };
    ///
    /// #[derive(Debug)]
    /// enum Refused {
    ///     Poor { balance: i64 },
    ///     Database(mysql::Error),
    /// }
    ///
    /// impl From<mysql::Error> for Refused {
    ///     fn from(error: mysql::Error) -> Self {
    ///         Self::Database(error)
    ///     }
    /// }
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = connect(&ConnectionConfig::from_env()?)?;
    ///     let (from, to, amount) = (1, 2, 50);
    ///     let moved = pool.transaction(|tx| {
    ///         let lock = "SELECT balance FROM accounts WHERE id = ? FOR UPDATE";
    ///         let balance: i64 = tx.exec_first(lock, (from,))?.unwrap_or(0);
    ///         if balance < amount {
    ///             return Err(Refused::Poor { balance });
    ///         }
    ///         let change = "UPDATE accounts SET balance = balance + ? WHERE id = ?";
    ///         tx.exec_drop(change, (-amount, from))?;
    ///         tx.exec_drop(change, (amount, to))?;
    ///         Ok(balance - amount)
    ///     });
    ///     match moved {
    ///         Ok(done) => println!("{} left, after {} attempt(s)", done.value, done.attempts),
    ///         Err(TransactionError::Aborted(refused)) => println!("rolled back: {refused:?}"),
    ///         Err(TransactionError::Unknown(error)) => println!("look whether it was applied: {error}"),
    ///         Err(error) => println!("nothing was applied: {error:?}"),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn transaction<T, E>(
        &self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<Committed<T>, TransactionError<E>> {
        self.transaction_with(&TransactionOptions::new(), work)
    }

    /// [`transaction`](Self::transaction) with options.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn transaction_with<T, E>(
        &self,
        options: &TransactionOptions,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<Committed<T>, TransactionError<E>> {
        done(run(&mut Pooled(self), options, |mut handle| ready(work(&mut Transaction(&mut handle)))))
    }
}

impl Connection {
    /// Runs `work` as [`Pool::transaction`] does, on this very connection, with the session settings it has.
    ///
    /// The connection comes back with the result, unless it was lost or the outcome is unknown.
    ///
    /// # Errors
    /// See [`TransactionError`]; a lost connection ends it, since there is no other to try again on.
    pub fn transaction<T, E>(
        self,
        options: &TransactionOptions,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, E>,
    ) -> (Option<Self>, Result<Committed<T>, TransactionError<E>>) {
        done(run_on(self, options, |mut handle| ready(work(&mut Transaction(&mut handle)))))
    }
}

/// The output of a future whose steps all block until they are done, so that its first poll is its last.
fn done<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing in a blocking transaction waits for a waker"),
    }
}

impl Session for Connection {
    async fn control(&mut self, statement: &'static str, phase: Phase) -> Result<()> {
        self.query_drop(statement).map_err(failed("transaction", phase))
    }

    fn verdict(&mut self) -> &mut Verdict {
        self.lease.verdict()
    }

    fn condemn(&mut self) {
        self.lease.condemn();
    }

    async fn pause(time: Duration) {
        std::thread::sleep(time);
    }
}

/// Connections for a transaction's attempts, each from the pool.
struct Pooled<'a>(&'a Pool);

impl Sessions for Pooled<'_> {
    type Session = Connection;

    async fn open(&mut self) -> Result<Connection> {
        self.0.get()
    }

    fn give_back(&mut self, connection: Connection) {
        drop(connection);
    }
}
