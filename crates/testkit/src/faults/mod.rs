//! The fault matrix: what a driver crate makes of every fault of the network and the server, in every phase of its work.
//!
//! One table says what must come of each; [`document`] is that table in words, and `docs/faults.md` its copy. A driver crate opens a pool, makes
//! [`run`] its test program, and gets a test a cell, such as `sqlx::commit::answer_dropped`. Each has a database of its
//! own and a [`Proxy`] in which the fault strikes once, and checks:
//!
//! - the kind and the outcome of the error, or that there is none;
//! - the time: at once, or at the limit where nothing comes;
//! - that the pool, which has room for one connection only, serves the next calls, and serves them the right answers;
//! - the data: applied or not as the table says, and never half.
//!
//! What is random about a fault, such as the byte at which it cuts, comes from a seed. A failure names it, and
//! `TIDB_FAULT_SEED` makes the very same faults again.

mod document;
mod table;

use std::{
    env,
    hash::{DefaultHasher, Hash, Hasher},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;
use futures_util::future::BoxFuture;
use libtest_mimic::{Arguments, Completion, Trial};
use tidb_connect_core::{
    ConnectionConfig, Error, ErrorKind, Outcome, Result as StoreResult, TransactionError, TransactionOptions,
    players::{NewPlayer, Player, PlayerId, Trade, sql},
    pool::PoolPolicy,
};
use tidb_connect_wire::Proxy;
use tokio::{runtime, time::timeout};

pub use self::document::document;
use self::table::{Applied, Difference, Expected, Fault, Phase, expected};
use crate::{
    Failure, Server, Store,
    failure::{equal, holds},
    transaction::{Ended, Step},
};

/// Every limit of the driver: what is not answered ends there. Long, so that a machine with other work does not reach it
/// where nothing is waited for.
const LIMIT: Duration = Duration::from_secs(4);

/// How much longer than the limit such a machine may take.
const SLACK: Duration = Duration::from_secs(20);

/// A cell that takes longer hangs.
const HANGS: Duration = Duration::from_secs(60);

/// The variable that makes the faults of an earlier run again.
const SEED: &str = "TIDB_FAULT_SEED";

/// The statements of a transaction that does what a trade does.
const FIRST: &str = "UPDATE players SET coins = coins - 20, goods = goods + 10 WHERE id = 1";
const SECOND: &str = "UPDATE players SET coins = coins + 20, goods = goods - 10 WHERE id = 2";

const TRADE: Trade = Trade { buyer: PlayerId(1), seller: PlayerId(2), goods: 10, price: 20 };

/// How many players there are beside the two who trade: enough for their list to have a middle.
const OTHERS: u32 = 400;

/// Runs steps in one transaction on a pool.
pub type Transact<P> = fn(P, TransactionOptions, Arc<[Step]>) -> BoxFuture<'static, Ended>;

/// What the matrix needs of a driver crate.
#[derive(Debug)]
pub struct Tested<P> {
    /// The driver's `Pool::new`, which opens no connection yet.
    pub pool: fn(&ConnectionConfig) -> StoreResult<P>,
    /// The driver's store on a pool.
    pub store: fn(P) -> Store,
    /// The pool's `transaction_with`.
    pub transaction: Transact<P>,
}

impl<P> Clone for Tested<P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Tested<P> {}

/// Runs the matrix for `driver` as a test program; the server must be named by the environment.
#[must_use = "return it from `main`, or failures go unseen"]
pub fn run<P: Clone + Send + Sync + 'static>(driver: &'static str, tested: Tested<P>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most of the time is spent waiting for limits.
    arguments.test_threads.get_or_insert(8);
    let seed = match env::var(SEED).map(|seed| seed.parse::<u64>()) {
        Ok(Ok(seed)) => seed,
        Ok(Err(_)) => {
            let no_seed = Trial::test(format!("{driver}::seed"), || Err(format!("{SEED} is no whole number").into()));
            return libtest_mimic::run(&arguments, vec![no_seed]).exit_code();
        }
        Err(_) => fastrand::u64(..),
    };
    let cells = Phase::ALL.iter().flat_map(|&phase| Fault::ALL.iter().map(move |&fault| (phase, fault)));
    let trials = cells.map(|(phase, fault)| {
        let cell = Cell { driver, phase, fault, seed, tested };
        let kind = if Difference::of(driver, phase, fault).is_some() { "differs" } else { "" };
        let trial = Trial::ignorable_test(format!("{driver}::{}::{}", phase.name(), fault.name()), move || {
            if let Expected::Excused(reason) = expected(phase, fault) {
                return Ok(Completion::ignored_with(reason));
            }
            cell.conduct().map_err(|failure| format!("{failure}\n  again with: {SEED}={seed}"))?;
            Ok(Completion::Completed)
        });
        trial.with_kind(kind)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// A fault in a phase of a driver.
struct Cell<P> {
    driver: &'static str,
    phase: Phase,
    fault: Fault,
    seed: u64,
    tested: Tested<P>,
}

/// What came of a call.
#[derive(Debug, PartialEq)]
enum Came {
    Success,
    /// The closure's own error.
    Aborted,
    Failure(ErrorKind, Outcome),
}

impl From<Error> for Came {
    fn from(error: Error) -> Self {
        Self::Failure(error.kind(), error.outcome())
    }
}

impl<P: Clone + Send + Sync + 'static> Cell<P> {
    /// What must come of it: what the table says, unless the driver is known to do something else.
    fn expected(&self) -> Expected {
        let difference = Difference::of(self.driver, self.phase, self.fault);
        difference.map_or_else(|| expected(self.phase, self.fault), |difference| difference.expected)
    }

    fn conduct(self) -> Result<(), Failure> {
        let server = Server::create_for(&format!("{}_faults", self.driver))?;
        let proxy = Arc::new(server.proxy()?);
        let bench = Arc::new(Bench::new(server, Arc::clone(&proxy))?);
        let broken = |error| Failure::caused("the kit cannot start a tokio runtime:", &error);
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(broken)?;
        // On a task of its own, so that neither a panic nor a blocked thread keeps the database from being dropped.
        let task = runtime.spawn({
            let bench = Arc::clone(&bench);
            async move { self.check(&bench).await }
        });
        let observed = match runtime.block_on(async { timeout(HANGS, task).await }) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => Err(Failure::new(format!("the cell did not end: {panic}"))),
            Err(_) => Err(Failure::new(format!("the cell hangs: no end after {HANGS:?}"))),
        };
        // What is still open would keep the tables from being dropped.
        proxy.cut();
        runtime.shutdown_timeout(Duration::from_secs(1));
        let removed = bench.server.remove();
        observed.and(removed)
    }

    async fn check(self, bench: &Bench) -> Result<(), Failure> {
        let (expected, Self { phase, fault, seed, tested, .. }) = (self.expected(), self);
        let pool = (tested.pool)(&bench.config(phase))?;
        let store = (tested.store)(pool.clone());
        if !matches!(phase, Phase::Connect | Phase::Login) {
            store.count().await?;
        }

        let mut hasher = DefaultHasher::new();
        (seed, phase, fault).hash(&mut hasher);
        let (point, strike) = fault.at(phase, &mut Rng::with_seed(hasher.finish()));
        let described = format!("{strike:?} at {point:?}");
        let named = |failure: Failure| Failure::new(format!("{failure}\n  with:     {described}"));
        if fault == Fault::Refused {
            // So that another is needed.
            bench.proxy.cut();
        }
        bench.proxy.arm(point, strike);
        let started = Instant::now();
        let came = timeout(HANGS, act(phase, &tested, pool, &store)).await;
        let took = started.elapsed();
        let came = came.map_err(|_| named(Failure::new(format!("it hangs: no end after {took:?}"))))?;
        let check = async {
            equal("how often the fault struck", bench.proxy.disarm(), 1)?;
            let (come, applied) = match expected {
                Expected::Succeeds => (Came::Success, phase.writes()),
                Expected::Aborts => (Came::Aborted, false),
                Expected::Fails(kind, outcome, applied) => (Came::Failure(kind, outcome), applied == Applied::Yes),
                Expected::Excused(reason) => return Err(Failure::new(format!("it is excused: {reason}"))),
            };
            equal("what came of the call", came?, come)?;
            let timed_out = matches!(expected, Expected::Fails(ErrorKind::TimedOut, ..));
            // A driver rounds its limits.
            let least = if timed_out { LIMIT * 9 / 10 } else { Duration::ZERO };
            let most = if timed_out || fault.may_take_the_limit() { LIMIT + SLACK } else { LIMIT };
            holds(&format!("it took {took:?}"), (least..most).contains(&took))?;
            bench.is_applied(applied)?;
            next_calls_are_right(&store, applied).await?;
            let status = store.status().await.pool;
            equal("the pool's size, idle and waiting", (status.size, status.idle, status.waiting), (1, 1, 0))?;
            bench.is_applied(applied)
        };
        check.await.map_err(named)
    }
}

/// Does what is to be done when the fault strikes. An error is that of a wrong answer.
async fn act<P>(phase: Phase, tested: &Tested<P>, pool: P, store: &Store) -> Result<Came, Failure> {
    match phase {
        Phase::Connect | Phase::Login => match store.find(TRADE.buyer).await {
            Ok(found) => equal("the buyer", found, Some(buyer(false)))?,
            Err(error) => return Ok(error.into()),
        },
        Phase::Prepare | Phase::Write | Phase::Idle => {
            if let Err(error) = store.trade(&TRADE).await {
                return Ok(error.into());
            }
        }
        Phase::InTransaction | Phase::Commit => {
            let steps = Arc::new([Step::Run(FIRST), Step::Run(SECOND)]);
            match (tested.transaction)(pool, TransactionOptions::new(), steps).await {
                Ok(_) => {}
                Err(TransactionError::Aborted(_)) => return Ok(Came::Aborted),
                Err(TransactionError::Failed(error) | TransactionError::Unknown(error)) => return Ok(error.into()),
                Err(error @ TransactionError::Stopped { kind, .. }) => return Ok(Came::Failure(kind, error.outcome())),
                Err(other) => return Err(Failure::new(format!("the transaction gave up: {other:?}"))),
            }
        }
        Phase::Rows => match store.list(None, OTHERS).await {
            Ok(players) => equal("the players listed", players.len(), OTHERS as usize)?,
            Err(error) => return Ok(error.into()),
        },
    }
    Ok(Came::Success)
}

/// The calls after the fault succeed, and none gets another's answer.
async fn next_calls_are_right(store: &Store, applied: bool) -> Result<(), Failure> {
    for _ in 0..2 {
        equal("the buyer as the next call finds him", store.find(TRADE.buyer).await?, Some(buyer(applied)))?;
        let seller = store.find_by_name("seller").await?.map(|player| player.id);
        equal("the seller as the next call finds him", seller, Some(TRADE.seller))?;
        equal("the players as the next call counts them", store.count().await?, u64::from(OTHERS) + 2)?;
    }
    Ok(())
}

fn buyer(after_the_trade: bool) -> Player {
    let (coins, goods) = if after_the_trade { (80, 10) } else { (100, 0) };
    NewPlayer::new("buyer", coins, goods).with_id(TRADE.buyer)
}

/// What a cell works with.
struct Bench {
    server: Server,
    proxy: Arc<Proxy>,
}

impl Bench {
    /// With two players who can trade, and others.
    fn new(server: Server, proxy: Arc<Proxy>) -> Result<Self, Failure> {
        let others = (3..OTHERS + 3).map(|id| format!(", ({id}, 'other {id}', 0, 0)"));
        let rows = others.fold("(1, 'buyer', 100, 0), (2, 'seller', 0, 100)".to_owned(), |rows, row| rows + &row);
        server.sql(sql::CREATE_TABLE)?;
        server.sql(&format!("INSERT INTO players VALUES {rows}"))?;
        Ok(Self { server, proxy })
    }

    /// Leads through the proxy. One connection is all there may be, and it is probed only where that is the phase.
    fn config(&self, phase: Phase) -> ConnectionConfig {
        let probe_after = if phase == Phase::Idle { Duration::ZERO } else { HANGS };
        let pool = PoolPolicy::default().with_max_connections(1).with_probe_after(probe_after);
        let config = self.server.config().clone().with_pool(pool.with_acquire_timeout(LIMIT));
        let config = config.with_connect_timeout(LIMIT).with_operation_timeout(LIMIT);
        config.with_host("127.0.0.1").with_port(self.proxy.addr().port())
    }

    /// Both sides of the trade have changed, or none, past the driver.
    fn is_applied(&self, applied: bool) -> Result<(), Failure> {
        let sides = self.server.sql("SELECT CONCAT(coins, '/', goods) FROM players WHERE id <= 2 ORDER BY id")?;
        let expected = if applied { ["80/10", "20/90"] } else { ["100/0", "0/100"] };
        equal("the coins and goods of both sides", sides, expected)
    }
}
