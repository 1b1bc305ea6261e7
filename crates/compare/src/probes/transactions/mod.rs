mod begin_inside_transaction;
mod begun_by_hand;
mod cancelled;
mod cancelled_during_begin;
mod cancelled_during_commit;
mod cancelled_during_statement;
mod commit_unanswered;
mod deadlock;
mod isolation_level;
mod killed_in_transaction;
mod left_early;
mod lock_wait_timeout;
mod optimistic;
mod panic_in_transaction;
mod read_only;
mod rollback_after_drop;
mod round_trips_of_empty_transaction;
mod round_trips_of_two_statements;
mod serializable;
mod snapshot_refused;
mod tries_after_conflicts;
mod write_conflict;

use std::time::{Duration, Instant};

use mysql::prelude::Queryable as _;
use mysql_async::prelude::Queryable as _;
use sqlx::MySqlPool;
use tidb_connect_core::{BoxError, Committed, TransactionError};
use tidb_connect_wire::{Fault, Point};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    lab::{Lab, PATIENCE, blocking},
    probe::{Answer, Chapter, Observed, probes},
};

pub(super) const CHAPTER: Chapter = Chapter {
    name: "transactions",
    title: "Transactions",
    probes: probes![
        rollback_after_drop
        left_early
        panic_in_transaction
        begun_by_hand
        cancelled_during_begin
        cancelled_during_statement
        cancelled_during_commit
        begin_inside_transaction
        round_trips_of_empty_transaction
        round_trips_of_two_statements
        isolation_level
        serializable
        read_only
        snapshot_refused
        optimistic
        write_conflict
        deadlock
        lock_wait_timeout
        tries_after_conflicts
        killed_in_transaction
        commit_unanswered
    ],
    declined: &[],
};

/// A table at whose rows transactions meet, and to which they add others: with an `n` of 1 in the transaction that is
/// looked at, of 3 in it once it has met an error, and of 2 by whoever comes after it.
const TABLE: &[&str] =
    &["CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, n INT)", "INSERT INTO t VALUES (1, 10), (2, 20)"];

const INSERT: &str = "INSERT INTO t (n) VALUES (1)";

const GO_ON: &str = "INSERT INTO t (n) VALUES (3)";

const UPDATE: &str = "UPDATE t SET n = n + 1 WHERE id = 1";

/// How long the proxy keeps back what is to be late.
const LATE: Duration = Duration::from_secs(1);

/// Waits until something is so, and tells whether it is.
async fn until(mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() >= PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(2)).await;
    }
    true
}

/// Waits until a query gives 1.
async fn until_true(lab: &Lab, query: &str) -> Result<(), BoxError> {
    let query = format!("SELECT {query}");
    let wait = async {
        while lab.value(&query).await? != "1" {}
        Ok(())
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| Err(format!("still waiting for {query}").into()))
}

/// A pool, as its next user finds it.
trait Pooled {
    /// How many come and go until a connection has another turn.
    const TURNS: usize = 1;

    /// Runs a statement as one who knows of nothing before.
    fn execute(&self, statement: &'static str) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Whether all connections are back.
    fn is_at_rest(&self) -> bool;
}

impl Pooled for MySqlPool {
    async fn execute(&self, statement: &'static str) -> Result<(), BoxError> {
        sqlx::raw_sql(statement).execute(self).await?;
        Ok(())
    }

    fn is_at_rest(&self) -> bool {
        self.size() as usize == self.num_idle()
    }
}

impl Pooled for mysql::Pool {
    /// It opens ten.
    const TURNS: usize = 10;

    async fn execute(&self, statement: &'static str) -> Result<(), BoxError> {
        let pool = self.clone();
        blocking(move || Ok(pool.get_conn()?.query_drop(statement)?)).await
    }

    /// They are when the call is over.
    fn is_at_rest(&self) -> bool {
        true
    }
}

impl Pooled for mysql_async::Pool {
    async fn execute(&self, statement: &'static str) -> Result<(), BoxError> {
        Ok(self.get_conn().await?.query_drop(statement).await?)
    }

    fn is_at_rest(&self) -> bool {
        use std::sync::atomic::Ordering::SeqCst;
        let metrics = self.metrics();
        metrics.connection_count.load(SeqCst) == metrics.connections_in_pool.load(SeqCst)
    }
}

impl Pooled for tidb_connect_sqlx::Pool {
    async fn execute(&self, statement: &'static str) -> Result<(), BoxError> {
        use sqlx::Executor as _;
        self.get().await?.execute(statement).await?;
        Ok(())
    }

    fn is_at_rest(&self) -> bool {
        self.status().size == self.status().idle
    }
}

impl Pooled for tidb_connect_mysql::Pool {
    async fn execute(&self, statement: &'static str) -> Result<(), BoxError> {
        let pool = self.clone();
        blocking(move || Ok(pool.get()?.query_drop(statement)?)).await
    }

    fn is_at_rest(&self) -> bool {
        self.status().size == self.status().idle
    }
}

impl Pooled for tidb_connect_mysql_async::Pool {
    async fn execute(&self, statement: &'static str) -> Result<(), BoxError> {
        Ok(self.get().await?.query_drop(statement).await?)
    }

    fn is_at_rest(&self) -> bool {
        self.status().size == self.status().idle
    }
}

/// The driver's pool, which waits while it opens its connections.
async fn mysql_pool(lab: &Lab) -> Result<mysql::Pool, BoxError> {
    let lab = lab.clone();
    blocking(move || lab.mysql_pool()).await
}

/// What a pool gives to whoever comes next.
async fn next_user<P: Pooled>(lab: &Lab, pool: &P) -> Result<String, BoxError> {
    for _ in 0..P::TURNS {
        if !until(|| pool.is_at_rest()).await {
            return Ok("its connection does not come back".to_owned());
        }
        if let Err(error) = pool.execute("INSERT INTO t (n) VALUES (2)").await {
            return Ok(format!("the next user gets {}", told(&error)));
        }
    }
    until(|| pool.is_at_rest()).await;
    let kept = lab.value("SELECT COUNT(*) FROM t WHERE n = 2").await?;
    let clean = kept == P::TURNS.to_string();
    Ok(if clean { "the next user is on its own" } else { "the next user's INSERT is not committed" }.to_owned())
}

/// What became of the row with an `n` of 1.
async fn applied_or_not(lab: &Lab) -> Result<&'static str, BoxError> {
    let rows = lab.value("SELECT COUNT(*) FROM t WHERE n = 1").await?;
    Ok(if rows == "0" { "not committed" } else { "committed" })
}

/// What has been committed of a transaction that went on after a statement that failed, which adds 100.
async fn kept(lab: &Lab) -> Result<&'static str, BoxError> {
    let before = lab.value("SELECT COUNT(*) FROM t WHERE n = 1").await? != "0";
    let statement = lab.value("SELECT COUNT(*) FROM t WHERE n >= 100").await? != "0";
    let after = lab.value("SELECT COUNT(*) FROM t WHERE n = 3").await? != "0";
    Ok(match (before, statement, after) {
        (true, true, true) => "everything",
        (true, false, true) => "all but the statement",
        (true, false, false) => "only what came before",
        (false, false, true) => "only what came after",
        (false, false, false) => "nothing",
        _ => "the statement, and not all around it",
    })
}

/// Whether a transaction has locked the first row.
async fn is_locked(lab: &Lab) -> Result<bool, BoxError> {
    let mut connection = lab.side().await?;
    connection.query_drop("BEGIN").await?;
    let looked = connection.query_drop("SELECT n FROM t WHERE id = 1 FOR UPDATE NOWAIT").await;
    connection.query_drop("ROLLBACK").await?;
    match looked {
        Ok(()) => Ok(false),
        // TiDB's, and MariaDB's.
        Err(mysql_async::Error::Server(error)) if [3572, 1205].contains(&error.code) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// [`blocking`]; and what tells when the thread is done, also where nobody waits for it any more.
fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
) -> (impl Future<Output = Result<T, BoxError>> + Send, oneshot::Receiver<()>) {
    let (working, done) = oneshot::channel();
    let call = blocking(move || {
        let _working: oneshot::Sender<()> = working;
        work()
    });
    (call, done)
}

/// Drops a future once it has sent `statement`, whose answer is late.
async fn drop_at<T: Send + 'static>(
    lab: &Lab,
    statement: &'static str,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<(), BoxError> {
    let proxy = lab.proxy()?;
    proxy.arm(Point::statement(statement), Fault::Delay(0, LATE));
    let task = tokio::spawn(work);
    let sent = until(|| {
        let report = proxy.report();
        let mut commands = report.connections.iter().flat_map(|connection| &connection.commands);
        commands.any(|command| command.text.as_deref() == Some(statement))
    });
    if !sent.await {
        return Err(format!("{statement} was not sent").into());
    }
    // The proxy tells of a statement before it passes it on: the server is to have it.
    sleep(Duration::from_millis(50)).await;
    task.abort();
    match task.await {
        Ok(_) => Err(format!("the answer to {statement} came too early").into()),
        Err(_) => Ok(()),
    }
}

/// Another transaction, past the driver that is observed.
struct Rival(tidb_connect_mysql_async::Connection);

impl Rival {
    /// Begins with these statements.
    async fn with(lab: &Lab, statements: &[&'static str]) -> Result<Self, BoxError> {
        let mut connection = lab.side().await?;
        connection.query_drop("BEGIN").await?;
        for &statement in statements {
            connection.query_drop(statement).await?;
        }
        Ok(Self(connection))
    }

    async fn commit(mut self) -> Result<(), BoxError> {
        Ok(self.0.query_drop("COMMIT").await?)
    }

    /// Waits for a lock that is taken, and commits when it has it.
    async fn wait(mut self, lab: &Lab, statement: &'static str) -> Result<JoinHandle<Result<(), BoxError>>, BoxError> {
        let task = tokio::spawn(async move {
            let locked = self.0.query_drop(statement).await;
            self.0.query_drop("COMMIT").await?;
            Ok(locked?)
        });
        until_true(lab, &format!("COUNT(*) > 0 FROM information_schema.processlist WHERE info = '{statement}'"))
            .await?;
        // It is at the lock very soon after, which not every server shows to every user.
        sleep(Duration::from_millis(200)).await;
        Ok(task)
    }
}

/// What a transaction takes when it is made once more, with what the pool does before and after it.
async fn taken<P: Pooled + Clone, F>(lab: &Lab, pool: P, work: impl Fn(P) -> F) -> Observed
where
    F: Future<Output = Result<(), BoxError>>,
{
    for _ in 0..P::TURNS {
        work(pool.clone()).await?;
        until(|| pool.is_at_rest()).await;
    }
    let once_more = async {
        work(pool.clone()).await?;
        until(|| pool.is_at_rest()).await;
        Ok(())
    };
    let ((), traffic) = lab.watched(once_more).await?;
    let commands: Vec<&str> = traffic.commands.iter().map(|command| short(command)).collect();
    Ok(Answer::new(format!("{}: {}", traffic.round_trips, commands.join(", "))))
}

/// A command without what all have in common: `PING`, and `COMMIT`.
fn short(command: &str) -> &str {
    let command = command.strip_prefix("COM_").unwrap_or(command);
    let command = command.strip_prefix("QUERY ").or_else(|| command.strip_prefix("STMT_")).unwrap_or(command);
    command.split_whitespace().next().unwrap_or(command)
}

/// An error, as far as a program can tell it from others.
fn told(error: &BoxError) -> String {
    let server = |code: u16, state: &str| format!("error {code} ({state})");
    match (error.downcast_ref(), error.downcast_ref(), error.downcast_ref()) {
        (Some(sqlx::Error::Database(error)), ..) => match error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            Some(error) => server(error.number(), error.code().unwrap_or("no SQLSTATE")),
            None => "an error without a code".to_owned(),
        },
        (_, Some(mysql::Error::MySqlError(error)), _) => server(error.code, &error.state),
        (.., Some(mysql_async::Error::Server(error))) => server(error.code, &error.state),
        (Some(sqlx::Error::Io(_)), ..)
        | (_, Some(mysql::Error::IoError(_) | mysql::Error::CodecError(_)), _)
        | (.., Some(mysql_async::Error::Io(_))) => "an I/O error".to_owned(),
        _ if error.is::<crate::lab::Panicked>() => "a panic".to_owned(),
        _ => "an error of the driver's own".to_owned(),
    }
}

/// How `transaction` of this workspace's crates ended.
fn ended<T, E>(result: &Result<Committed<T>, TransactionError<E>>) -> String {
    match result {
        Ok(Committed { attempts, .. }) => format!("committed in attempt {attempts}"),
        Err(TransactionError::Aborted(_)) => "aborted".to_owned(),
        Err(TransactionError::Exhausted { attempts, .. }) => format!("given up in attempt {attempts}"),
        Err(TransactionError::Failed(error)) => format!("failed: {:?}", error.kind()),
        Err(TransactionError::Unknown(_)) => "TransactionError::Unknown".to_owned(),
        Err(_) => "failed in a new way".to_owned(),
    }
}
