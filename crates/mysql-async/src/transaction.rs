//! Transactions that are tried again as a whole, for tables of your own.

use std::{future::Future, ops::Deref, time::Duration};

use mysql_async::{Conn, prelude::Queryable};
use tidb_connect_core::{
    Committed, Phase, Result, TransactionError, TransactionOptions,
    transaction::{Handle, Session, Sessions, Verdict, run, run_on},
};

use crate::{Connection, Pool, error::failed};

/// A transaction under way: a [`Queryable`] of the driver, and read-only a [`Conn`].
///
/// It runs statements and can neither begin nor commit: [`Pool::transaction`] does, when the closure has returned and
/// dropped it. It refuses:
///
/// - every further statement after one that ended the attempt (a conflict, a time-out), since the server may have rolled
///   back already, so that they would be applied one by one;
/// - every further statement after one that committed or ended the transaction itself, as `COMMIT` and DDL do. The server's
///   status shows that in the answer to it, which becomes an error, and the transaction ends as
///   [`Ended`](TransactionError::Ended);
/// - `query_iter`, `exec_iter` and the streams, because an error among rows that they hand out one by one would not be seen.
///   Use `query`, `exec` or one of their variants; [`affected_rows`](Conn::affected_rows) is there after each of them;
/// - the commit, when the closure cancelled a call.
#[derive(Debug)]
pub struct Transaction(Handle<Connection>);

impl Transaction {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.0.session_mut()
    }
}

/// What the driver knows of the last statement: affected rows, last insert id, the connection's id.
impl Deref for Transaction {
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
    /// Dropping the future closes the connection, and the server rolls back.
    ///
    /// ```no_run
    /// use tidb_connect_mysql_async::{
    ///     ConnectionConfig, TransactionError, connect,
    ///     mysql_async::{self, prelude::*},
    /// };
    ///
    /// #[derive(Debug)]
    /// enum Refused {
    ///     Poor { balance: i64 },
    ///     Database(mysql_async::Error),
    /// }
    ///
    /// impl From<mysql_async::Error> for Refused {
    ///     fn from(error: mysql_async::Error) -> Self {
    ///         Self::Database(error)
    ///     }
    /// }
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let pool = connect(&ConnectionConfig::from_env()?).await?;
    ///     let (from, to, amount) = (1, 2, 50);
    ///     let moved = pool
    ///         .transaction(|mut tx| async move {
    ///             let lock = "SELECT balance FROM accounts WHERE id = ? FOR UPDATE";
    ///             let balance: i64 = tx.exec_first(lock, (from,)).await?.unwrap_or(0);
    ///             if balance < amount {
    ///                 return Err(Refused::Poor { balance });
    ///             }
    ///             let change = "UPDATE accounts SET balance = balance + ? WHERE id = ?";
    ///             tx.exec_drop(change, (-amount, from)).await?;
    ///             tx.exec_drop(change, (amount, to)).await?;
    ///             Ok(balance - amount)
    ///         })
    ///         .await;
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
    pub async fn transaction<T, E, F, Fut>(&self, work: F) -> Result<Committed<T>, TransactionError<E>>
    where
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.transaction_with(&TransactionOptions::new(), work).await
    }

    /// [`transaction`](Self::transaction) with options.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub async fn transaction_with<T, E, F, Fut>(
        &self,
        options: &TransactionOptions,
        mut work: F,
    ) -> Result<Committed<T>, TransactionError<E>>
    where
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        run(&mut Pooled(self), options, |handle| work(Transaction(handle))).await
    }
}

impl Connection {
    /// Runs `work` as [`Pool::transaction`] does, on this very connection, with the session settings it has.
    ///
    /// The connection comes back with the result, unless it was lost or the outcome is unknown.
    ///
    /// # Errors
    /// See [`TransactionError`]; a lost connection ends it, since there is no other to try again on.
    pub async fn transaction<T, E, F, Fut>(
        self,
        options: &TransactionOptions,
        mut work: F,
    ) -> (Option<Self>, Result<Committed<T>, TransactionError<E>>)
    where
        F: FnMut(Transaction) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        run_on(self, options, |handle| work(Transaction(handle))).await
    }
}

impl Session for Connection {
    async fn control(&mut self, statement: &'static str, phase: Phase) -> Result<()> {
        self.query_drop(statement).await.map_err(failed("transaction", phase))
    }

    fn verdict(&mut self) -> &mut Verdict {
        self.lease.verdict()
    }

    fn condemn(&mut self) {
        self.lease.condemn();
    }

    async fn pause(time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// Connections for a transaction's attempts, each from the pool.
struct Pooled<'a>(&'a Pool);

impl Sessions for Pooled<'_> {
    type Session = Connection;

    async fn open(&mut self) -> Result<Connection> {
        self.0.get().await
    }

    fn give_back(&mut self, connection: Connection) {
        drop(connection);
    }
}
