//! Checks for a driver crate's `transaction`: the same ones for every driver.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use libtest_mimic::{Arguments, Completion, Trial};
use mysql::prelude::Queryable;
use tidb_connect_core::{
    Committed, ConnectionConfig, ErrorKind, LastFailure, Outcome, RetryPolicy, TransactionError, TransactionMode,
    TransactionOptions,
};
use tidb_connect_wire::{Answer, Fault, Point, Proxy};
use tokio::{runtime, time::sleep};

use crate::{
    Failure, Server,
    failure::{equal, holds},
    telemetry::{listen, only},
};

/// What a transaction's closure does, one step after the other.
#[derive(Clone)]
pub enum Step {
    /// Runs a statement; an error ends the closure with its text.
    Run(&'static str),
    /// Runs a statement and goes on whatever comes of it, as a careless closure would.
    Ignore(&'static str),
    /// Does something outside the transaction.
    Meanwhile(Arc<dyn Fn() + Send + Sync>),
    /// Ends the closure with an error of its own.
    Fail(&'static str),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(sql) => write!(f, "Run({sql:?})"),
            Self::Ignore(sql) => write!(f, "Ignore({sql:?})"),
            Self::Meanwhile(_) => f.write_str("Meanwhile"),
            Self::Fail(text) => write!(f, "Fail({text:?})"),
        }
    }
}

/// What came of it; the closure's own error is a text.
pub type Ended = Result<Committed<()>, TransactionError<String>>;

/// Runs steps in one transaction of a driver crate, on a pool of its own.
pub type Runner = fn(ConnectionConfig, TransactionOptions, Arc<[Step]>) -> BoxFuture<'static, Ended>;

/// Runs the checks for `driver` as a test program; the server must be named by the environment.
///
/// `pooled` runs the steps in the pool's `transaction`, `held` in that of one connection.
#[must_use = "return it from `main`, or failures go unseen"]
pub fn run(driver: &'static str, pooled: Runner, held: Runner) -> ExitCode {
    let checks = || CHECKS.iter().filter(|(name, ..)| driver != "mysql" || !NEED_A_FUTURE.contains(name));
    let on_the_pool = checks().map(|&(name, only_tidb, check)| {
        Trial::ignorable_test(format!("{driver}::{name}"), move || make(driver, pooled, only_tidb, check))
    });
    let on_one = checks().filter(|(name, ..)| !NEED_A_POOL.contains(name)).map(|&(name, only_tidb, check)| {
        let name = format!("{driver}::{name}_on_one_connection");
        Trial::ignorable_test(name, move || make(driver, held, only_tidb, check))
    });
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    libtest_mimic::run(&arguments, on_the_pool.chain(on_one).collect()).exit_code()
}

fn make(driver: &str, runner: Runner, only_tidb: bool, check: Check) -> Result<Completion, libtest_mimic::Failed> {
    let bench = Bench { server: Arc::new(Server::create_for(driver)?), runner };
    if only_tidb && !bench.server.is_tidb()? {
        bench.server.remove()?;
        return Ok(Completion::ignored_with("the server is not TiDB"));
    }
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let checked = catch_unwind(AssertUnwindSafe(|| runtime.block_on(check(&bench))));
    runtime.shutdown_timeout(Duration::from_secs(1));
    bench.server.remove()?;
    match checked {
        Ok(result) => Ok(result.map(|()| Completion::Completed)?),
        Err(panic) => resume_unwind(panic),
    }
}

/// A driver that blocks has no future that could be dropped among rows.
const NEED_A_FUTURE: &[&str] = &["a_transaction_dropped_among_rows_frees_its_locks"];

/// On one connection, a lost one ends the transaction.
const NEED_A_POOL: &[&str] = &["transaction_goes_on_another_connection_when_one_is_killed"];

type Check = for<'a> fn(&'a Bench) -> BoxFuture<'a, Result<(), Failure>>;

/// Name, whether it means something on TiDB only, and the check.
const CHECKS: &[(&str, bool, Check)] = &[
    ("transaction_commits_at_once_when_nothing_is_in_the_way", false, |b| Box::pin(commits_at_once(b))),
    ("transaction_makes_all_of_it_again_after_a_lock_wait", false, |b| Box::pin(again_after_a_lock_wait(b))),
    ("transaction_makes_all_of_it_again_when_commit_conflicts", true, |b| Box::pin(again_after_commit_conflicts(b))),
    ("transaction_goes_on_another_connection_when_one_is_killed", false, |b| Box::pin(again_after_a_kill(b))),
    ("transaction_gives_the_closures_error_back_and_rolls_back", false, |b| Box::pin(own_error_comes_back(b))),
    ("transaction_keeps_to_its_attempts", false, |b| Box::pin(keeps_to_its_attempts(b))),
    ("transaction_never_commits_half_after_a_swallowed_conflict", false, |b| Box::pin(never_half(b))),
    ("transaction_is_told_with_its_attempts", false, |b| Box::pin(told_with_its_attempts(b))),
    ("transaction_rolls_back_when_it_is_dropped", false, |b| Box::pin(rolls_back_when_dropped(b))),
    ("transaction_says_unknown_when_commit_goes_unanswered", false, |b| Box::pin(unknown_commit(b))),
    ("a_statement_that_ends_the_transaction_is_reported", false, |b| Box::pin(ended_by_a_statement(b))),
    ("a_time_out_ends_the_transaction_at_once", false, |b| Box::pin(ended_by_a_time_out(b))),
    ("a_time_out_among_rows_frees_the_locks", false, |b| Box::pin(timed_out_among_rows(b))),
    ("a_transaction_dropped_among_rows_frees_its_locks", false, |b| Box::pin(dropped_among_rows(b))),
];

/// A time limit that a check waits for.
const SHORT: Duration = Duration::from_secs(1);

const WAIT_BRIEFLY: &str = "SET SESSION innodb_lock_wait_timeout = 1";
const TAKE: &str = "UPDATE accounts SET balance = balance - 1 WHERE id = 2";
const ADD: &str = "UPDATE accounts SET balance = balance + 1 WHERE id = 1";

struct Bench {
    server: Arc<Server>,
    runner: Runner,
}

impl Bench {
    /// Two accounts of 10.
    fn accounts(&self) -> Result<(), Failure> {
        self.server.sql("CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL)")?;
        self.server.sql("INSERT INTO accounts VALUES (1, 10), (2, 10)").map(drop)
    }

    fn balances(&self) -> Result<Vec<String>, Failure> {
        self.server.sql("SELECT balance FROM accounts ORDER BY id")
    }

    /// A statement whose rows take longer than any check.
    fn endless(&self) -> Result<Step, Failure> {
        self.server.sql("CREATE TABLE many (text VARCHAR(1000) NOT NULL)")?;
        let row = "(REPEAT('x', 1000))";
        self.server.sql(&format!("INSERT INTO many VALUES {}", vec![row; 1000].join(",")))?;
        Ok(Step::Run("SELECT a.text FROM many a, many b, many c"))
    }

    /// A proxy in front of the server, and the way through it.
    fn through_a_proxy(&self) -> Result<(Proxy, ConnectionConfig), Failure> {
        let proxy = self.server.proxy()?;
        let config = self.server.config().clone().with_host("127.0.0.1").with_port(proxy.addr().port());
        Ok((proxy, config))
    }

    /// Whether account 1 can be written: its lock is free, or becomes so before the server's own limit.
    async fn is_free(&self) -> Result<(), Failure> {
        let server = Arc::clone(&self.server);
        let written = tokio::task::spawn_blocking(move || server.sql(ADD));
        written.await.map_err(|error| Failure::new(error.to_string()))??;
        equal("balances", self.balances()?, vec!["11", "10"])
    }

    async fn transaction(&self, options: TransactionOptions, steps: impl Into<Arc<[Step]>>) -> Ended {
        (self.runner)(self.server.config().clone(), options, steps.into()).await
    }

    /// Locks account 1 until the returned function is called.
    fn lock(&self) -> Result<impl Fn() + Send + Sync + 'static, Failure> {
        let mut other = self.server.connect()?;
        let held = ["BEGIN", "UPDATE accounts SET balance = 11 WHERE id = 1"].map(|sql| other.query_drop(sql));
        let held: Result<Vec<()>, _> = held.into_iter().collect();
        held.map_err(|error| Failure::caused("the kit cannot lock a row:", &error))?;
        // Dropping the connection rolls its transaction back.
        let other = Mutex::new(Some(other));
        Ok(move || drop(other.lock().unwrap_or_else(PoisonError::into_inner).take()))
    }
}

fn committed(ended: Ended) -> Result<u32, Failure> {
    let failed = |error| Failure::new(format!("the transaction must be committed, came {error:?}"));
    ended.map(|done| done.attempts).map_err(failed)
}

/// Calls `act` as the second attempt starts.
fn on_the_second(act: impl Fn() + Send + Sync + 'static) -> TransactionOptions {
    TransactionOptions::new().with_on_attempt(move |attempt| {
        if attempt.number == 2 {
            act();
        }
    })
}

async fn commits_at_once(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let steps = [Step::Run(ADD), Step::Run("UPDATE accounts SET balance = balance - 1 WHERE id = 2")];
    equal("attempts", committed(bench.transaction(TransactionOptions::new(), steps).await)?, 1)?;
    equal("balances", bench.balances()?, vec!["11", "9"])
}

async fn again_after_a_lock_wait(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let options = on_the_second(bench.lock()?);
    let steps =
        [Step::Run(WAIT_BRIEFLY), Step::Run("UPDATE accounts SET balance = balance - 1 WHERE id = 2"), Step::Run(ADD)];
    equal("attempts", committed(bench.transaction(options, steps).await)?, 2)?;
    equal("balances", bench.balances()?, vec!["11", "9"])
}

async fn again_after_commit_conflicts(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let (server, first) = (Arc::clone(&bench.server), AtomicU32::new(1));
    let conflict = move || {
        if first.swap(0, Ordering::SeqCst) == 1 {
            server.sql(ADD).expect("the kit's own update");
        }
    };
    let options = TransactionOptions::new().with_mode(TransactionMode::Optimistic);
    let steps = [Step::Run(ADD), Step::Meanwhile(Arc::new(conflict))];
    equal("attempts", committed(bench.transaction(options, steps).await)?, 2)?;
    equal("balances", bench.balances()?, vec!["12", "10"])
}

async fn again_after_a_kill(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let (server, first) = (Arc::clone(&bench.server), AtomicU32::new(1));
    let kill = move || {
        if first.swap(0, Ordering::SeqCst) == 1 {
            server.kill_others().expect("the kit's own KILL");
        }
    };
    let steps = [Step::Run(ADD), Step::Meanwhile(Arc::new(kill)), Step::Run(ADD)];
    equal("attempts", committed(bench.transaction(TransactionOptions::new(), steps).await)?, 2)?;
    equal("balances", bench.balances()?, vec!["12", "10"])
}

async fn own_error_comes_back(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let ended = bench.transaction(TransactionOptions::new(), [Step::Run(ADD), Step::Fail("poor")]).await;
    match ended {
        Err(TransactionError::Aborted(text)) => equal("the closure's error", text, "poor")?,
        other => return Err(Failure::new(format!("expected the closure's own error, came {other:?}"))),
    }
    equal("balances", bench.balances()?, vec!["10", "10"])
}

async fn keeps_to_its_attempts(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let release = bench.lock()?;
    let options = TransactionOptions::new().with_retry(RetryPolicy::transaction().with_max_attempts(2));
    let ended = bench.transaction(options, [Step::Run(WAIT_BRIEFLY), Step::Run(ADD)]).await;
    release();
    match &ended {
        Err(error @ TransactionError::Exhausted { attempts: 2, last: LastFailure::Closure(_), .. }) => {
            equal("outcome", error.outcome(), Outcome::Retryable)?;
        }
        other => return Err(Failure::new(format!("expected two attempts, came {other:?}"))),
    }
    equal("balances", bench.balances()?, vec!["10", "10"])
}

async fn never_half(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let options = on_the_second(bench.lock()?);
    let steps = [
        Step::Run(WAIT_BRIEFLY),
        Step::Ignore(ADD),
        Step::Ignore("UPDATE accounts SET balance = balance - 1 WHERE id = 2"),
    ];
    equal("attempts", committed(bench.transaction(options, steps).await)?, 2)?;
    equal("balances", bench.balances()?, vec!["11", "9"])
}

async fn told_with_its_attempts(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let options = on_the_second(bench.lock()?);
    let (ended, told) = listen(bench.transaction(options, [Step::Run(WAIT_BRIEFLY), Step::Run(ADD)])).await;
    equal("attempts", committed(ended)?, 2)?;
    let span = only(&told, "transaction")?;
    equal("the span's attempts and outcome", (span.field("attempts"), span.field("outcome")), ("2", "committed"))?;
    let again = only(&told, "trying again")?;
    equal("the spans around the attempt", again.within.as_slice(), ["transaction"].as_slice())?;
    equal("what it came after", again.field("error.type"), "Conflict")
}

async fn rolls_back_when_dropped(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let (reached, mut seen) = tokio::sync::watch::channel(false);
    let steps = [
        Step::Run(ADD),
        Step::Meanwhile(Arc::new(move || {
            reached.send_replace(true);
        })),
        Step::Run("SELECT SLEEP(5)"),
        Step::Fail("must not come so far"),
    ];
    tokio::select! {
        ended = bench.transaction(TransactionOptions::new(), steps) => {
            return Err(Failure::new(format!("it must be dropped before it ends, came {ended:?}")));
        }
        _ = seen.wait_for(|reached| *reached) => {}
    }
    // The row is free again once the server has rolled back.
    let server = Arc::clone(&bench.server);
    let freed =
        tokio::task::spawn_blocking(move || server.sql("UPDATE accounts SET balance = balance + 5 WHERE id = 1"));
    freed.await.map_err(|error| Failure::new(error.to_string()))??;
    equal("balances", bench.balances()?, vec!["15", "10"])
}

async fn unknown_commit(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let (proxy, through) = bench.through_a_proxy()?;
    // Twice, so that a COMMIT that is made again shows in the balance.
    for _ in 0..2 {
        proxy.arm(Point::statement("COMMIT"), Fault::AfterAnswer(0, Answer::Close));
    }
    let ended = (bench.runner)(through, TransactionOptions::new(), [Step::Run(ADD)].into()).await;
    match &ended {
        Err(error @ TransactionError::Unknown(cause)) => {
            equal("outcome", error.outcome(), Outcome::Unknown)?;
            equal("kind", cause.kind(), ErrorKind::ConnectionLost)?;
        }
        other => return Err(Failure::new(format!("expected an unknown outcome, came {other:?}"))),
    }
    // This COMMIT did arrive, and was not made again.
    equal("balances", bench.balances()?, vec!["11", "10"])
}

async fn ended_by_a_statement(bench: &Bench) -> Result<(), Failure> {
    const ENDING: &[&str] =
        &["COMMIT", "rollback", "/* quietly */ CREATE TABLE other (id INT)", "BEGIN", "SELECT 1; COMMIT"];

    bench.accounts()?;
    for (number, &sql) in ENDING.iter().enumerate() {
        let runs = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&runs);
        let steps = [
            Step::Meanwhile(Arc::new(move || {
                count.fetch_add(1, Ordering::SeqCst);
            })),
            Step::Run(ADD),
            Step::Ignore(sql),
            Step::Ignore(TAKE),
        ];
        let ended = bench.transaction(TransactionOptions::new(), steps).await;
        let balances = bench.balances()?;
        let unapplied = ["10", "10"].map(String::from);
        match &ended {
            // The statement ran: what came before it may be applied.
            Err(TransactionError::Ended(_)) => equal(&format!("account 2 after {sql}"), &balances[1], &unapplied[1])?,
            Err(TransactionError::Unknown(_)) | Ok(_) => {
                return Err(Failure::new(format!("{sql} must be reported, came {ended:?}")));
            }
            Err(_) => equal(&format!("balances after {sql}"), balances.as_slice(), &unapplied)?,
        }
        equal(&format!("attempts with {sql}, number {number}"), runs.load(Ordering::SeqCst), 1)?;
        bench.server.sql("UPDATE accounts SET balance = 10")?;
        bench.server.sql("DROP TABLE IF EXISTS other")?;
    }
    Ok(())
}

async fn ended_by_a_time_out(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let release = bench.lock()?;
    let runs = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&runs);
    let steps = [
        Step::Meanwhile(Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        })),
        Step::Run(TAKE),
        Step::Ignore(ADD),
        Step::Ignore(TAKE),
    ];
    let config = bench.server.config().clone().with_operation_timeout(SHORT);
    let ended = (bench.runner)(config, TransactionOptions::new(), steps.into()).await;
    match &ended {
        Err(TransactionError::Stopped { kind: ErrorKind::TimedOut, .. }) => {}
        other => return Err(Failure::new(format!("expected a time-out, came {other:?}"))),
    }
    equal("attempts", runs.load(Ordering::SeqCst), 1)?;
    // One of them is the connection that holds the lock.
    let left = bench.server.others()?.len();
    holds(&format!("one attempt at most must be left on the server, there are {}", left - 1), left <= 2)?;
    release();
    bench.is_free().await
}

async fn timed_out_among_rows(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let (proxy, config) = bench.through_a_proxy()?;
    let steps = [Step::Run(ADD), bench.endless()?];
    let silenced = async {
        rows_come(&proxy).await;
        proxy.hold();
    };
    let transaction = (bench.runner)(config.with_operation_timeout(SHORT), TransactionOptions::new(), steps.into());
    let (ended, ()) = tokio::join!(transaction, silenced);
    // The server cannot know before.
    proxy.release();
    match ended {
        Err(TransactionError::Stopped { kind: ErrorKind::TimedOut, .. }) => bench.is_free().await,
        other => Err(Failure::new(format!("expected a time-out, came {other:?}"))),
    }
}

async fn dropped_among_rows(bench: &Bench) -> Result<(), Failure> {
    bench.accounts()?;
    let (proxy, config) = bench.through_a_proxy()?;
    let steps = [Step::Run(ADD), bench.endless()?];
    tokio::select! {
        ended = (bench.runner)(config, TransactionOptions::new(), steps.into()) => {
            return Err(Failure::new(format!("it must be dropped before it ends, came {ended:?}")));
        }
        () = rows_come(&proxy) => {}
    }
    bench.is_free().await
}

/// Waits until the server has begun to send [`Bench::endless`] rows.
async fn rows_come(proxy: &Proxy) {
    while proxy.report().connections.iter().all(|connection| connection.bytes_down < 1 << 20) {
        sleep(Duration::from_millis(10)).await;
    }
}
