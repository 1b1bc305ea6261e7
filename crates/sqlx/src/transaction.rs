//! Transactions that are tried again as a whole, for tables of your own.

use std::{future::Future, time::Duration};

use sqlx::{Error as DriverError, Executor, MySqlConnection};
use tidb_connect_core::{
    Committed, Phase, Result, TransactionError, TransactionOptions,
    transaction::{Handle, Session, Sessions, Verdict, run, run_on},
};

use crate::{Connection, Pool, connection::Running, error::failed};

/// A transaction under way: `&mut Transaction` is an sqlx [`Executor`].
///
/// It runs statements and can neither begin nor commit: [`Pool::transaction`] does, when the closure has returned and
/// dropped it. It refuses:
///
/// - every further statement after one that ended the attempt (a conflict, a time-out), since the server may have rolled
///   back already, so that they would be applied one by one;
/// - `COMMIT`, DDL and whatever else commits or ends a transaction by its first words. What a procedure does, or a statement
///   prepared in SQL (`EXECUTE`), is not seen;
/// - the commit, when the closure dropped a stream of rows before its end, or cancelled a call.
#[derive(Debug)]
pub struct Transaction(Handle<Connection>);

impl Transaction {
    pub(crate) fn start(&mut self) -> Result<(&mut MySqlConnection, Running<'_>), DriverError> {
        self.0.session_mut().start()
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
    /// use tidb_connect_sqlx::{ConnectionConfig, TransactionError, connect, sqlx};
    ///
    /// #[derive(Debug)]
    /// enum Refused {
    ///     Poor { balance: i64 },
    ///     Database(sqlx::Error),
    /// }
    ///
    /// impl From<sqlx::Error> for Refused {
    ///     fn from(error: sqlx::Error) -> Self {
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
    ///             let balance: i64 = sqlx::query_scalar("SELECT balance FROM accounts WHERE id = ? FOR UPDATE")
    ///                 .bind(from)
    ///                 .fetch_one(&mut tx)
    ///                 .await?;
    ///             if balance < amount {
    ///                 return Err(Refused::Poor { balance });
    ///             }
    ///             let change = "UPDATE accounts SET balance = balance + ? WHERE id = ?";
    ///             sqlx::query(change).bind(-amount).bind(from).execute(&mut tx).await?;
    ///             sqlx::query(change).bind(amount).bind(to).execute(&mut tx).await?;
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
        self.execute(statement).await.map(drop).map_err(failed("transaction", phase))
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
