//! The contract of the drivers' pools, and of dropping a call: the same checks for all, as a test program.
//!
//! A driver crate wraps its pool in a [`TestedPool`] and runs [`PoolSuite`]. Every check has a database of its own on the
//! server that the environment names, and goes through a [`Proxy`], which causes the faults and sees what is sent.

use std::{
    fmt::Debug,
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::pin,
    process::ExitCode,
    sync::Arc,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join, join_all, try_join_all},
};
use libtest_mimic::{Arguments, Failed, Trial};
use mysql::{Conn, OptsBuilder, prelude::Queryable};
use tidb_connect_core::{
    ConnectionConfig, Error, ErrorKind, Result as StoreResult,
    players::{NewPlayer, Player, PlayerId, PlayerStore, Traced, Trade, sql},
    pool::PoolStatus,
};
use tidb_connect_wire::{Answer, CommandKind, Proxy, Script, Then};
use tokio::{
    runtime,
    task::{self, JoinHandle},
    time::{sleep, timeout},
};

use crate::{
    Failure, Server, Store,
    failure::{equal, holds, refused},
    stand_in,
    suite::Opener,
    telemetry::{listen, only},
};

/// What takes longer hangs. Far above what anything takes, and far below the limits that must not be waited for.
const PROMPT: Duration = Duration::from_secs(10);

/// A limit that no check waits for.
const NEVER: Duration = Duration::from_secs(60);

/// A limit that a check does wait for.
const SHORT: Duration = Duration::from_secs(1);

/// A check that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(300);

/// A driver's pool, as the checks use it.
pub trait TestedPool: Clone + Send + Sync + 'static {
    /// A connection on loan.
    type Connection: Send + 'static;

    /// Whether a login ends although its caller has taken another connection, and is left to the pool.
    const LOGINS_GO_ON: bool = false;

    /// The driver's `Pool::new`.
    ///
    /// # Errors
    /// As there.
    fn new(config: &ConnectionConfig) -> StoreResult<Self>;

    /// The driver's `Pool::get`.
    fn get(&self) -> impl Future<Output = StoreResult<Self::Connection>> + Send;

    /// [`get`](Self::get) on the thread of the task, which a driver that blocks keeps from its runtime.
    fn get_in_place(&self) -> impl Future<Output = StoreResult<Self::Connection>> + Send {
        self.get()
    }

    /// The driver's `Pool::status`.
    fn status(&self) -> PoolStatus;

    /// The driver's `Pool::close`.
    fn close(&self) -> impl Future<Output = StoreResult<()>> + Send;

    /// Runs `SELECT CONNECTION_ID()` as a prepared statement.
    fn connection_id(connection: &mut Self::Connection) -> impl Future<Output = u64> + Send;

    /// The driver's store on this pool.
    fn store(&self) -> Store;
}

/// The checks of one driver's pool, as a test program.
#[must_use = "a suite does nothing until it is run"]
#[derive(Debug)]
pub struct PoolSuite<P> {
    name: &'static str,
    pool: PhantomData<fn() -> P>,
}

macro_rules! checks {
    ($($name:ident),+ $(,)?) => {
        fn checks<P: TestedPool>() -> Vec<(&'static str, Check<P>)> {
            vec![$((stringify!($name), |bench| Box::pin($name(bench)))),+]
        }
    };
}

type Check<P> = for<'a> fn(&'a Bench<P>) -> BoxFuture<'a, Result<(), Failure>>;

impl<P: TestedPool> PoolSuite<P> {
    /// The checks for the pool of the driver called `name`, which stands before the names of the tests.
    pub fn new(name: &'static str) -> Self {
        Self { name, pool: PhantomData }
    }

    /// Runs the tests that the command line asks for.
    #[must_use = "return it from `main`, or failures go unseen"]
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        // Most of them wait for something.
        arguments.test_threads.get_or_insert(4);
        let trials = checks::<P>().into_iter().map(|(check, run)| {
            let driver = self.name;
            Trial::test(format!("{driver}::{check}"), move || conduct(driver, run).map_err(Failed::from))
        });
        libtest_mimic::run(&arguments, trials.collect()).exit_code()
    }
}

/// Makes a check in a database of its own, behind a proxy of its own.
fn conduct<P: TestedPool>(driver: &str, check: Check<P>) -> Result<(), Failure> {
    let broken = |error| Failure::caused("the kit cannot start:", &error);
    // The checks open their stores themselves.
    let none = || async { Err::<Store, _>(Error::new(ErrorKind::Driver, "not opened this way")) };
    let server = Server::create(&format!("{driver}_pool"), Opener::new(move |_| none()))?;
    let proxy = server.proxy()?;
    let bench = Arc::new(Bench { server, proxy, pool: PhantomData });
    let runtime = runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().map_err(broken)?;
    let task = runtime.spawn({
        let bench = Arc::clone(&bench);
        async move { check(&bench).await }
    });
    let result = match runtime.block_on(async { timeout(LIMIT, task).await }) {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Failure::new(format!("the check did not end: {panic}"))),
        Err(_) => Err(Failure::new(format!("the check hangs: no end after {LIMIT:?}"))),
    };
    // What a check left waiting for the network ends with it.
    bench.proxy.release();
    bench.proxy.cut();
    runtime.shutdown_timeout(PROMPT);
    let removed = bench.server.remove();
    result.and(removed)
}

/// What a check works with.
struct Bench<P> {
    server: Server,
    proxy: Proxy,
    pool: PhantomData<fn() -> P>,
}

impl<P: TestedPool> Bench<P> {
    /// Leads through the proxy; nothing is probed, and no limit is reached, unless the check asks for it.
    fn config(&self, max: usize) -> ConnectionConfig {
        let pool = self.server.config().pool().clone();
        let pool = pool.with_max_connections(max).with_probe_after(NEVER).with_acquire_timeout(NEVER);
        let config = self.server.config().clone().with_pool(pool).with_connect_timeout(NEVER);
        config.with_host(self.proxy.addr().ip().to_string()).with_port(self.proxy.addr().port())
    }

    fn pool(&self, max: usize) -> Result<P, Failure> {
        Ok(P::new(&self.config(max))?)
    }

    /// A pool whose idle connections are probed always.
    fn probing_pool(&self, max: usize, acquire_timeout: Duration) -> Result<P, Failure> {
        let config = self.config(max);
        let policy = config.pool().clone().with_probe_after(Duration::ZERO).with_acquire_timeout(acquire_timeout);
        Ok(P::new(&config.with_pool(policy))?)
    }

    /// How many connections the server has that use the check's database.
    fn on_server(&self) -> Result<usize, Failure> {
        let name = self.server.config().database();
        let own = "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND DB";
        Ok(self.server.sql(&format!("{own} = '{name}'"))?.len())
    }

    fn sent(&self, kind: CommandKind) -> usize {
        self.proxy.report().count(kind)
    }
}

/// Waits until `it` holds, at most [`PROMPT`].
async fn eventually(what: &str, it: impl Fn() -> Result<bool, Failure>) -> Result<(), Failure> {
    let started = Instant::now();
    while !it()? {
        holds(&format!("{what}: not within {PROMPT:?}"), started.elapsed() < PROMPT)?;
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// The output of what must not wait for any of the long limits.
async fn prompt<T>(what: &str, call: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(PROMPT, call).await.map_err(|_| Failure::new(format!("{what}: not within {PROMPT:?}")))
}

/// The output of a task.
async fn joined<T>(task: JoinHandle<T>) -> Result<T, Failure> {
    task.await.map_err(|panic| Failure::new(panic.to_string()))
}

/// A connection, and its id on the server.
async fn lend<P: TestedPool>(pool: &P) -> Result<(P::Connection, u64), Failure> {
    let mut connection = prompt("a connection is taken", pool.get()).await??;
    let id = P::connection_id(&mut connection).await;
    Ok((connection, id))
}

/// `count` connections at once.
async fn lend_all<P: TestedPool>(pool: &P, count: usize) -> Result<Vec<(P::Connection, u64)>, Failure> {
    try_join_all((0..count).map(|_| lend(pool))).await
}

fn status_is<P: TestedPool>(pool: &P, size: usize, idle: usize, waiting: usize) -> Result<(), Failure> {
    let PoolStatus { size: s, idle: i, waiting: w, .. } = pool.status();
    equal("the pool's size, idle and waiting", (s, i, w), (size, idle, waiting))
}

/// An error of `kind` where a connection was asked for.
fn no_connection<C>(what: &str, result: StoreResult<C>, kind: ErrorKind) -> Result<Error, Failure> {
    refused(what, result.map(|_| "a connection"), kind)
}

checks! {
    a_warm_connection_costs_nothing,
    a_connection_is_probed_when_it_was_idle_for_longer,
    prepared_statements_survive_the_return,
    one_task_takes_connections_without_an_end,
    no_connection_above_the_recycle_age_is_handed_out,
    connections_killed_by_the_server_are_replaced_unseen,
    connections_cut_by_the_network_are_replaced_unseen,
    connections_that_answer_a_probe_with_nonsense_are_no_panic,
    a_server_that_is_not_there_is_reported_at_once,
    a_wrong_password_is_reported_at_once,
    an_exhausted_pool_says_so_at_the_limit,
    a_silent_server_is_reported_at_the_limit,
    a_silent_server_is_reported_at_the_connect_limit,
    black_holed_connections_are_reported_at_the_limit,
    black_holed_connections_cost_one_probe_together,
    a_slow_connect_delays_nobody_who_can_be_served,
    a_login_that_goes_on_counts_against_the_maximum,
    a_stuck_connect_delays_nobody_for_long_although_others_wait,
    a_thousand_callers_of_an_empty_pool_log_in_no_more_often_than_its_maximum,
    a_wait_is_told_within_the_span_of_the_call,
    a_storm_of_cancelled_callers_leaves_the_maximum,
    a_storm_during_slow_connects_never_exceeds_the_maximum,
    close_says_goodbye_on_every_connection,
    close_refuses_those_who_wait,
    close_waits_no_longer_than_the_limit,
    a_dropped_get_leaves_nothing_behind,
    a_dropped_waiter_does_not_take_the_turn_of_the_next,
    dropped_calls_leave_a_pool_of_one_clean,
    dropped_calls_leave_a_pool_of_two_clean,
    a_dropped_close_can_be_made_again,
    a_dropped_call_ends_although_the_server_goes_on,
    a_dropped_call_ends_although_the_server_is_silent,
}

async fn a_warm_connection_costs_nothing<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.pool(2)?;
    status_is(&pool, 0, 0, 0)?;
    let (connection, id) = lend(&pool).await?;
    status_is(&pool, 1, 0, 0)?;
    drop(connection);
    status_is(&pool, 1, 1, 0)?;
    let before = bench.proxy.report().round_trips();
    for _ in 0..5 {
        let connection = pool.get().await?;
        status_is(&pool, 1, 0, 0)?;
        drop(connection);
    }
    equal("the round trips for a warm connection", bench.proxy.report().round_trips(), before)?;
    equal("the connection", lend(&pool).await?.1, id)
}

async fn a_connection_is_probed_when_it_was_idle_for_longer<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let config = bench.config(1);
    let policy = config.pool().clone().with_probe_after(SHORT);
    let pool = P::new(&config.with_pool(policy))?;
    let (connection, id) = lend(&pool).await?;
    let returned = Instant::now();
    drop(connection);
    drop(pool.get().await?);
    if returned.elapsed() < SHORT {
        equal("the probes of a connection that came back a moment ago", bench.sent(CommandKind::Ping), 0)?;
    }
    sleep(SHORT + Duration::from_millis(1)).await;
    let before = bench.proxy.report().round_trips();
    let mut connection = pool.get().await?;
    equal("the probes of an idle connection", bench.sent(CommandKind::Ping), 1)?;
    equal("the round trips of a probe", bench.proxy.report().round_trips(), before + 1)?;
    equal("the connection", P::connection_id(&mut connection).await, id)
}

async fn prepared_statements_survive_the_return<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.pool(1)?;
    for _ in 0..3 {
        lend(&pool).await?;
    }
    let sent = (bench.sent(CommandKind::Prepare), bench.sent(CommandKind::Execute));
    equal("the statements prepared and executed", sent, (1, 3))
}

async fn one_task_takes_connections_without_an_end<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    // More than tokio lets a task do before it has to give its thread back (128).
    const TIMES: usize = 300;

    let pool = bench.probing_pool(1, PROMPT)?;
    for _ in 0..TIMES {
        pool.get_in_place().await?;
    }
    status_is(&pool, 1, 1, 0)
}

async fn no_connection_above_the_recycle_age_is_handed_out<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let config = bench.config(1);
    let policy = config.pool().clone().with_recycle(SHORT);
    let pool = P::new(&config.with_pool(policy))?;
    let before = Instant::now();
    let (connection, first) = lend(&pool).await?;
    let opened = Instant::now();
    drop(connection);
    // In constant use, so that its idle time never counts.
    while opened.elapsed() < SHORT {
        let (_connection, id) = lend(&pool).await?;
        if before.elapsed() < SHORT {
            equal("the connection while it is young", id, first)?;
        }
    }
    let (connection, id) = lend(&pool).await?;
    holds("a connection above the recycle age is handed out", id != first)?;
    drop(connection);
    eventually("the old connection is closed", || Ok(bench.on_server()? == 1)).await?;
    status_is(&pool, 1, 1, 0)
}

async fn connections_killed_by_the_server_are_replaced_unseen<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.probing_pool(3, NEVER)?;
    let killed: Vec<u64> = lend_all(&pool, 3).await?.into_iter().map(|(_, id)| id).collect();
    for id in &killed {
        bench.server.sql(&format!("KILL {id}"))?;
    }
    eventually("the server closes them", || Ok(bench.on_server()? == 0)).await?;
    let connections = lend_all(&pool, 3).await?;
    holds("one of them is handed out", connections.iter().all(|(_, id)| !killed.contains(id)))?;
    status_is(&pool, 3, 0, 0)
}

async fn connections_cut_by_the_network_are_replaced_unseen<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.probing_pool(3, NEVER)?;
    let cut: Vec<u64> = lend_all(&pool, 3).await?.into_iter().map(|(_, id)| id).collect();
    bench.proxy.cut();
    eventually("they are cut", || Ok(bench.proxy.report().open() == 0)).await?;
    let connections = lend_all(&pool, 3).await?;
    holds("one of them is handed out", connections.iter().all(|(_, id)| !cut.contains(id)))?;
    status_is(&pool, 3, 0, 0)
}

/// Packets cut short, at which drivers panic. Whoever takes one for an answer hands the connection out.
async fn connections_that_answer_a_probe_with_nonsense_are_no_panic<P: TestedPool>(
    bench: &Bench<P>,
) -> Result<(), Failure> {
    for nonsense in [&b"\0\0\0\x01"[..], b"\x01\0\0\x01\0", b"\x02\0\0\x01\0\xfe", b"\x01\0\0\x01\xff"] {
        let answer = Answer::Bytes(nonsense.into(), Then::Close);
        let (server, config) = stand_in::start(Script::new().on_command(CommandKind::Ping, answer))?;
        let policy = bench.config(1).pool().clone().with_probe_after(Duration::ZERO);
        let pool = P::new(&config.with_pool(policy))?;
        drop(prompt("the first connection", pool.get()).await??);
        drop(prompt("a connection after the probe", pool.get()).await??);
        let probes =
            server.visits().iter().flat_map(|visit| &visit.commands).filter(|it| it.kind == CommandKind::Ping).count();
        equal("the probes made", probes, 1)?;
    }
    Ok(())
}

async fn a_server_that_is_not_there_is_reported_at_once<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = P::new(&bench.config(1).with_port(1))?;
    for _ in 0..2 {
        let error = no_connection("nobody listens", prompt("the error", pool.get()).await?, ErrorKind::Unreachable)?;
        holds("the cause is in the chain", std::error::Error::source(&error).is_some())?;
    }
    status_is(&pool, 0, 0, 0)
}

async fn a_wrong_password_is_reported_at_once<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = P::new(&bench.config(1).with_password("wrong"))?;
    for _ in 0..2 {
        let error = no_connection("denied", prompt("the error", pool.get()).await?, ErrorKind::AccessDenied)?;
        holds("the server's error is in it", error.server().is_some())?;
    }
    status_is(&pool, 0, 0, 0)
}

/// The error that `pool` gives after its limit, which is [`SHORT`].
async fn error_at_the_limit<P: TestedPool>(pool: &P, kind: ErrorKind) -> Result<Error, Failure> {
    let started = Instant::now();
    let error = no_connection("the limit passes", prompt("the error", pool.get()).await?, kind)?;
    holds("the limit is waited for", started.elapsed() >= SHORT)?;
    Ok(error)
}

async fn an_exhausted_pool_says_so_at_the_limit<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.probing_pool(2, SHORT)?;
    let connections = lend_all(&pool, 2).await?;
    let waiter = task::spawn({
        let pool = pool.clone();
        async move { error_at_the_limit(&pool, ErrorKind::PoolExhausted).await }
    });
    let store = pool.store();
    let caller = task::spawn(async move { store.count().await });
    eventually("the callers wait", || Ok(pool.status().waiting == 2)).await?;
    status_is(&pool, 2, 0, 2)?;
    let said = joined(waiter).await??.to_string();
    refused("the limit of a store", joined(caller).await?, ErrorKind::PoolExhausted)?;
    holds(&format!("the number in use is named: {said}"), said.contains("all 2 connections"))?;
    drop(connections);
    status_is(&pool, 2, 2, 0)
}

async fn a_silent_server_is_reported_at_the_limit<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.probing_pool(2, SHORT)?;
    bench.proxy.hold();
    error_at_the_limit(&pool, ErrorKind::TimedOut).await?;
    bench.proxy.release();
    lend_all(&pool, 2).await.map(drop)
}

async fn a_silent_server_is_reported_at_the_connect_limit<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = P::new(&bench.config(2).with_connect_timeout(SHORT))?;
    bench.proxy.hold();
    error_at_the_limit(&pool, ErrorKind::TimedOut).await?;
    bench.proxy.release();
    lend_all(&pool, 2).await.map(drop)
}

async fn black_holed_connections_are_reported_at_the_limit<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.probing_pool(3, SHORT)?;
    lend_all(&pool, 3).await?;
    bench.proxy.hold();
    error_at_the_limit(&pool, ErrorKind::TimedOut).await?;
    bench.proxy.release();
    lend_all(&pool, 3).await.map(drop)
}

async fn black_holed_connections_cost_one_probe_together<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.probing_pool(6, NEVER)?;
    lend_all(&pool, 6).await?;
    bench.proxy.hold();
    let (accepted, probe) = (bench.proxy.report().connections.len(), Duration::from_secs(5));
    let (started, caller) = (
        Instant::now(),
        task::spawn({
            let pool = pool.clone();
            async move { lend(&pool).await.map(drop) }
        }),
    );
    eventually("a new one is opened", || Ok(bench.proxy.report().connections.len() > accepted)).await?;
    holds("one probe time-out is waited for", started.elapsed() >= probe)?;
    holds("no more than that is waited for", started.elapsed() < 2 * probe)?;
    equal("the probes", bench.sent(CommandKind::Ping), 1)?;
    bench.proxy.release();
    joined(caller).await??;
    status_is(&pool, 1, 1, 0)
}

async fn a_slow_connect_delays_nobody_who_can_be_served<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.pool(3)?;
    let mut connections = lend_all(&pool, 2).await?;
    bench.proxy.hold();
    let slow = task::spawn({
        let pool = pool.clone();
        async move { pool.get().await }
    });
    eventually("the third is being opened", || Ok(bench.proxy.report().connections.len() == 3)).await?;
    status_is(&pool, 3, 0, 1)?;
    let (first, first_id) = connections.remove(0);
    drop(first);
    let served = prompt("the one who opens is served by a connection that comes back", joined(slow));
    let mut served = served.await???;
    connections.clear();
    let other = prompt("another is served by an idle connection", pool.get()).await??;
    status_is(&pool, 2, 0, 0)?;
    bench.proxy.release();
    equal("the connection", P::connection_id(&mut served).await, first_id)?;
    drop((served, other));
    let (open, opened) = if P::LOGINS_GO_ON { (3, 3) } else { (2, 4) };
    eventually("the attempt ends", || Ok(bench.on_server()? == open && pool.status().idle == open)).await?;
    lend_all(&pool, 3).await?;
    equal("the connections that were opened", bench.proxy.report().connections.len(), opened)
}

async fn a_login_that_goes_on_counts_against_the_maximum<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.pool(2)?;
    let (first, _) = lend(&pool).await?;
    bench.proxy.hold();
    let caller = || {
        let pool = pool.clone();
        task::spawn(async move { pool.get().await })
    };
    let slow = caller();
    eventually("the second is being opened", || Ok(bench.proxy.report().connections.len() == 2)).await?;
    drop(first);
    let served = prompt("the one who opens is served by a connection that comes back", joined(slow)).await???;
    let next = caller();
    // Where the login has ended with its caller's wait, there is a place for another.
    let opened = if P::LOGINS_GO_ON { 2 } else { 3 };
    eventually("the next waits", || Ok(pool.status().waiting == 1 && bench.proxy.report().connections.len() == opened))
        .await?;
    // Long enough for one more to be opened, were there a place.
    sleep(SHORT).await;
    equal("the connections that were opened", bench.proxy.report().connections.len(), opened)?;
    bench.proxy.release();
    drop((served, prompt("the next is served", joined(next)).await???));
    equal("the connections that were opened in all", bench.proxy.report().connections.len(), opened)
}

async fn a_stuck_connect_delays_nobody_for_long_although_others_wait<P: TestedPool>(
    bench: &Bench<P>,
) -> Result<(), Failure> {
    let config = bench.config(2);
    let policy = config.pool().clone().with_acquire_timeout(4 * PROMPT);
    let healthy = policy.probe_timeout();
    let pool = P::new(&config.with_pool(policy))?;
    let (mut connection, _) = lend(&pool).await?;
    bench.proxy.hold();
    let caller = |pool: &P| {
        let pool = pool.clone();
        task::spawn(async move { pool.get().await })
    };
    let started = Instant::now();
    let stuck = caller(&pool);
    eventually("the second is being opened", || Ok(bench.proxy.report().connections.len() == 2)).await?;
    // One connection goes from hand to hand, and somebody waits for a place all the time.
    let mut others = vec![caller(&pool)];
    loop {
        others.push(caller(&pool));
        eventually("two others wait", || Ok(pool.status().waiting == 3)).await?;
        drop(connection);
        let served = || others.iter().position(JoinHandle::is_finished);
        eventually("somebody is served", || Ok(stuck.is_finished() || served().is_some())).await?;
        let Some(served) = served() else { break };
        holds("no more than that is waited for", started.elapsed() < healthy + PROMPT)?;
        connection = joined(others.remove(served)).await??;
    }
    holds("others are served while the login may be a healthy one", started.elapsed() >= healthy)?;
    bench.proxy.release();
    others.push(stuck);
    let returned = others.into_iter().map(|caller| async { joined(caller).await?.map(drop).map_err(Failure::from) });
    prompt("the last are served", try_join_all(returned)).await?.map(drop)
}

async fn a_thousand_callers_of_an_empty_pool_log_in_no_more_often_than_its_maximum<P: TestedPool>(
    bench: &Bench<P>,
) -> Result<(), Failure> {
    const CALLERS: usize = 1024;
    const MAX: usize = 10;

    let pool = bench.pool(MAX)?;
    // Until all are there, so that none is served before the others ask.
    bench.proxy.hold();
    let callers = (0..CALLERS).map(|_| {
        let store = pool.store();
        task::spawn(async move { store.server_version().await })
    });
    let callers: Vec<_> = callers.collect();
    eventually("the maximum is being opened", || Ok(bench.proxy.report().open() == MAX)).await?;
    eventually("the others wait", || Ok(pool.status().waiting == CALLERS)).await?;
    bench.proxy.release();
    for caller in callers {
        prompt("a caller is served", joined(caller)).await???;
    }
    equal("the connections that were opened", bench.proxy.report().connections.len(), MAX)?;
    equal("the callers who wait", pool.status().waiting, 0)
}

/// Callers on a store over `pool`, of which most give up at a moment that depends on their number.
async fn storm(store: &Store, callers: u32) -> Result<(), Failure> {
    let callers = (0..callers).map(|n| {
        let store = Arc::clone(store);
        task::spawn(async move {
            let patience = Duration::from_micros(u64::from(n * 7919 % 4000));
            timeout(patience, store.count()).await
        })
    });
    for caller in join_all(callers.map(joined)).await {
        if let Ok(count) = caller? {
            equal("the count in a storm", count?, 0)?;
        }
    }
    Ok(())
}

async fn a_wait_is_told_within_the_span_of_the_call<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.pool(1)?;
    let store = Traced::new(pool.store(), &bench.config(1));
    store.create_table().await?;
    let (connection, _) = lend(&pool).await?;
    let give_back = async {
        eventually("the call waits", || Ok(pool.status().waiting == 1)).await?;
        drop(connection);
        Ok::<_, Failure>(())
    };
    let (ended, told) = listen(prompt("a call that waits", join(store.count(), give_back))).await;
    let (counted, given_back) = ended?;
    given_back?;
    equal("the count", counted?, 0)?;
    only(&told, "count players")?;
    let waited = only(&told, "waited for a connection")?;
    equal("the spans around the wait", waited.within.as_slice(), ["count players"].as_slice())?;
    equal("whether it was served", waited.field("served"), "true")
}

async fn a_storm_of_cancelled_callers_leaves_the_maximum<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.pool(3)?;
    let store = pool.store();
    store.create_table().await?;
    for _ in 0..5 {
        storm(&store, 100).await?;
    }
    eventually("nobody waits any more", || Ok(pool.status().waiting == 0)).await?;
    let connections = lend_all(&pool, 3).await?;
    eventually("the server has the maximum", || Ok(bench.on_server()? == 3)).await?;
    status_is(&pool, 3, 0, 0)?;
    drop(connections);
    status_is(&pool, 3, 3, 0)
}

async fn a_storm_during_slow_connects_never_exceeds_the_maximum<P: TestedPool>(
    bench: &Bench<P>,
) -> Result<(), Failure> {
    let pool = bench.pool(3)?;
    let store = pool.store();
    store.create_table().await?;
    bench.proxy.cut();
    eventually("the connection is cut", || Ok(bench.proxy.report().open() == 0)).await?;
    // Found to be lost by this call.
    refused("the connection is lost", store.count().await, ErrorKind::ConnectionLost)?;
    bench.proxy.hold();
    for _ in 0..3 {
        storm(&store, 50).await?;
        eventually("at most the maximum is being opened", || Ok(bench.proxy.report().open() <= 3)).await?;
    }
    bench.proxy.release();
    lend_all(&pool, 3).await?;
    eventually("the server has the maximum", || Ok(bench.on_server()? == 3)).await
}

async fn close_says_goodbye_on_every_connection<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.pool(3)?;
    let mut connections = lend_all(&pool, 3).await?;
    let last = connections.pop();
    drop(connections);
    let close = task::spawn({
        let pool = pool.clone();
        async move { pool.close().await }
    });
    eventually("idle ones are told goodbye", || Ok(bench.sent(CommandKind::Quit) == 2)).await?;
    no_connection("the pool is closed", pool.get().await, ErrorKind::Closed)?;
    holds("the one in use is waited for", !close.is_finished())?;
    status_is(&pool, 1, 0, 0)?;
    drop(last);
    prompt("the close", joined(close)).await???;
    eventually("the last is told goodbye", || Ok(bench.sent(CommandKind::Quit) == 3)).await?;
    eventually("all are closed", || Ok(bench.on_server()? == 0)).await?;
    status_is(&pool, 0, 0, 0)?;
    prompt("closing again", pool.close()).await??;
    no_connection("the pool is closed", pool.get().await, ErrorKind::Closed)?;
    equal("the goodbyes", bench.sent(CommandKind::Quit), 3)
}

async fn close_refuses_those_who_wait<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    for opening in [false, true] {
        let pool = bench.pool(if opening { 2 } else { 1 })?;
        let accepted = bench.proxy.report().connections.len();
        let lent = lend(&pool).await?;
        if opening {
            bench.proxy.hold();
        }
        let waiter = task::spawn({
            let pool = pool.clone();
            async move { pool.get().await }
        });
        eventually("the caller waits", || {
            let begun = bench.proxy.report().connections.len() - accepted;
            Ok(pool.status().waiting == 1 && begun == if opening { 2 } else { 1 })
        })
        .await?;
        let store = pool.store();
        let caller = task::spawn(async move { store.count().await });
        eventually("both callers wait", || Ok(pool.status().waiting == 2)).await?;
        let close = task::spawn({
            let pool = pool.clone();
            async move { pool.close().await }
        });
        refused("the store is closed", prompt("the call", joined(caller)).await??, ErrorKind::Closed)?;
        let waiter = prompt("a caller who waits is refused", joined(waiter)).await??;
        no_connection("the pool is closed", waiter, ErrorKind::Closed)?;
        holds("the one in use is waited for", !close.is_finished())?;
        bench.proxy.release();
        drop(lent);
        prompt("the close", joined(close)).await???;
        eventually("all are closed", || Ok(bench.on_server()? == 0)).await?;
    }
    Ok(())
}

async fn close_waits_no_longer_than_the_limit<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.probing_pool(2, SHORT)?;
    let mut lent = lend_all(&pool, 2).await?;
    lent.pop();
    let started = Instant::now();
    let said = refused("one is in use", prompt("the close", pool.close()).await?, ErrorKind::TimedOut)?.to_string();
    holds("the limit is waited for", started.elapsed() >= SHORT)?;
    holds(&format!("the number in use is named: {said}"), said.contains("1 of its connections"))?;
    no_connection("the pool is closed", pool.get().await, ErrorKind::Closed)?;
    drop(lent);
    prompt("closing again", pool.close()).await??;
    eventually("both are told goodbye", || Ok(bench.sent(CommandKind::Quit) == 2)).await?;
    eventually("both are closed", || Ok(bench.on_server()? == 0)).await
}

/// How long a call that is to be dropped is left alone before, in microseconds. Meanwhile the server goes on, and a thread if there is
/// one: each length meets another step of a login or a statement.
const PAUSES: [u64; 4] = [300, 900, 2_000, 5_000];

/// Polls `call` as often as it wakes its caller, `polls` times, and drops it after `pause`. Its output, if it ended
/// before.
async fn polled<T>(call: impl Future<Output = T>, polls: usize, pause: Duration) -> Option<T> {
    let (mut call, mut left) = (pin!(call), polls);
    let output = poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    });
    let output = output.await;
    if output.is_none() {
        // Not the runtime's, which is too coarse, and lets go of a call only when the thread is free.
        thread::sleep(pause);
    }
    output
}

async fn a_dropped_get_leaves_nothing_behind<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    // Of a new pool, so that a connection has to be opened; of one with an idle connection, so that that is probed.
    for (max, warm) in [(1, false), (1, true), (2, false), (2, true)] {
        for polls in 0.. {
            let pool = bench.probing_pool(max, NEVER)?;
            if warm {
                lend(&pool).await?;
            }
            let done = prompt("the call", polled(pool.get(), polls, Duration::ZERO)).await?.transpose()?.is_some();
            lend_all(&pool, max).await?;
            eventually("nobody waits any more", || Ok(pool.status().waiting == 0)).await?;
            eventually("no connection is left over", || Ok(bench.on_server()? == max)).await?;
            status_is(&pool, max, max, 0)?;
            drop(pool);
            eventually("a dropped pool closes its connections", || Ok(bench.on_server()? == 0)).await?;
            if done {
                break;
            }
        }
    }
    Ok(())
}

async fn a_dropped_waiter_does_not_take_the_turn_of_the_next<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.pool(1)?;
    let store = pool.store();
    store.create_table().await?;
    for when in 0..40 {
        let lent = lend(&pool).await?;
        let mut waiters: Vec<_> = (0..3)
            .map(|_| {
                let store = Arc::clone(&store);
                task::spawn(async move { store.count().await })
            })
            .collect();
        task::yield_now().await;
        // Before, at the moment of, and after the return, which wakes the first.
        if when % 2 == 0 {
            waiters[0].abort();
            drop(lent);
        } else {
            drop(lent);
            waiters[0].abort();
        }
        for waiter in waiters.drain(1..) {
            let count = prompt("the next in the queue is served", joined(waiter)).await?;
            equal("the count", count??, 0)?;
        }
    }
    eventually("nobody waits any more", || Ok(pool.status().waiting == 0)).await
}

/// An operation, on a table of the players `a` and `b` or on none, and the tables that it may leave.
struct Operation {
    name: &'static str,
    table: bool,
    run: for<'a> fn(&'a Store, &'a [Player]) -> BoxFuture<'a, StoreResult<()>>,
    done: Option<&'static [&'static str]>,
}

const TABLE: &[&str] = &["a 100 0", "b 0 100"];

macro_rules! operations {
    ($($name:ident($store:ident, $players:pat, $table:literal) $call:expr => $done:expr;)+) => {
        &[$(Operation {
            name: stringify!($name),
            table: $table,
            run: |$store, $players| Box::pin(async move { $call.await.map(drop) }),
            done: $done,
        }),+]
    };
}

/// Every operation of a store but `close`.
const OPERATIONS: &[Operation] = operations! {
    server_version(store, _, true) store.server_version() => Some(TABLE);
    create_table(store, _, false) store.create_table() => Some(&[]);
    drop_table(store, _, true) store.drop_table() => None;
    create(store, _, true) store.create(&NewPlayer::new("c", 1, 1)) => Some(&["a 100 0", "b 0 100", "c 1 1"]);
    create_many(store, _, true) store.create_many(&[NewPlayer::new("c", 1, 1), NewPlayer::new("d", 1, 1)])
        => Some(&["a 100 0", "b 0 100", "c 1 1", "d 1 1"]);
    find(store, players, true) store.find(players[0].id) => Some(TABLE);
    find_by_name(store, _, true) store.find_by_name("a") => Some(TABLE);
    list(store, _, true) store.list(None, 10) => Some(TABLE);
    count(store, _, true) store.count() => Some(TABLE);
    update(store, players, true) store.update(&Player { coins: 7, ..players[0].clone() }) => Some(&["a 7 0", "b 0 100"]);
    delete(store, players, true) store.delete(players[1].id) => Some(&["a 100 0"]);
    trade(store, players, true) store.trade(&Trade { buyer: players[0].id, seller: players[1].id, goods: 3, price: 10 })
        => Some(&["a 90 3", "b 10 97"]);
    status(store, _, true) store.status().map(|status| status.server) => Some(TABLE);
};

/// The table as it is, past the store; `None` without one.
fn table(server: &Server) -> Result<Option<Vec<String>>, Failure> {
    if server.sql("SHOW TABLES LIKE 'players'")?.is_empty() {
        return Ok(None);
    }
    server.sql("SELECT CONCAT_WS(' ', name, coins, goods) FROM players ORDER BY name").map(Some)
}

async fn dropped_calls_leave_a_pool_of_one_clean<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    dropped_calls_leave_the_pool_clean(bench, 1).await
}

async fn dropped_calls_leave_a_pool_of_two_clean<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    dropped_calls_leave_the_pool_clean(bench, 2).await
}

async fn dropped_calls_leave_the_pool_clean<P: TestedPool>(bench: &Bench<P>, max: usize) -> Result<(), Failure> {
    // Left to a thread of its own at first, then at each poll until it has ended.
    let moments = || {
        PAUSES
            .map(|micros| (1, Duration::from_micros(micros)))
            .into_iter()
            .chain((0..).map(|polls| (polls, Duration::ZERO)))
    };
    for operation in OPERATIONS {
        // On one pool, whose connections stay where a call ends well.
        let pool = bench.pool(max)?;
        for (polls, pause) in moments() {
            if dropped(bench, &pool, operation, polls, pause).await? && pause.is_zero() {
                break;
            }
        }
        pool.close().await?;
        // On new ones, whose first connection has to be opened.
        for (polls, pause) in moments() {
            let pool = bench.pool(max)?;
            let ended = dropped(bench, &pool, operation, polls, pause).await?;
            pool.close().await?;
            if ended && pause.is_zero() {
                break;
            }
        }
    }
    Ok(())
}

/// Drops `operation` after `polls` and a `pause`, and looks at what is left. Whether it was done by then.
async fn dropped<P: TestedPool>(
    bench: &Bench<P>,
    pool: &P,
    operation: &Operation,
    polls: usize,
    pause: Duration,
) -> Result<bool, Failure> {
    let told =
        |failure| Failure::new(format!("{} dropped after {polls} polls and {pause:?}: {failure}", operation.name));
    let players = set_up(&bench.server, operation.table)?;
    let store = pool.store();
    let call = polled((operation.run)(&store, &players), polls, pause);
    let ended = prompt("the call", call).await?.transpose().map_err(|error| told(error.into()))?.is_some();
    left_clean(bench, pool, operation, ended).await.map_err(told)?;
    Ok(ended)
}

/// The table as an operation finds it.
fn set_up(server: &Server, with_table: bool) -> Result<Vec<Player>, Failure> {
    match (table(server)?, with_table) {
        (None, false) => {}
        (None, true) => drop(server.sql(sql::CREATE_TABLE)?),
        (Some(_), false) => drop(server.sql(sql::DROP_TABLE)?),
        (Some(_), true) => drop(server.sql("DELETE FROM players")?),
    }
    if !with_table {
        return Ok(Vec::new());
    }
    server.sql("INSERT INTO players (name, coins, goods) VALUES ('a', 100, 0), ('b', 0, 100)")?;
    let ids = server.sql("SELECT id FROM players ORDER BY name")?;
    let player = |(id, player): (&String, NewPlayer)| match id.parse() {
        Ok(id) => Ok(player.with_id(PlayerId(id))),
        Err(error) => Err(Failure::caused("an id is no number:", &error)),
    };
    ids.iter().zip([NewPlayer::new("a", 100, 0), NewPlayer::new("b", 0, 100)]).map(player).collect()
}

/// Looks at what a call has left that was dropped, unless it `ended` before.
async fn left_clean<P: TestedPool>(
    bench: &Bench<P>,
    pool: &P,
    operation: &Operation,
    ended: bool,
) -> Result<(), Failure> {
    // A statement that was under way may still be made; then its connection ends.
    eventually("the server has the pool's idle connections and no others", || {
        let PoolStatus { size, idle, waiting, .. } = pool.status();
        Ok(waiting == 0 && size == idle && bench.on_server()? == size)
    })
    .await?;
    let left = table(&bench.server)?;
    let as_text = |rows: &[&str]| rows.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (before, done) = (operation.table.then(|| as_text(TABLE)), operation.done.map(as_text));
    holds(&format!("the change is made in part: {left:?}"), left == done || !ended && left == before)?;

    let (store, max) = (pool.store(), pool.status().max);
    let Some(rows) = left else {
        let call = prompt("the next call", store.count()).await?;
        return refused("the count without a table", call, ErrorKind::TableMissing).map(drop);
    };
    // Waits for any transaction that is open.
    bench.server.sql("UPDATE players SET goods = goods + 1000")?;
    let players = prompt("the next call", store.list(None, 10)).await??;
    let mut seen: Vec<String> =
        players.iter().map(|player| format!("{} {} {}", player.name, player.coins, player.goods - 1000)).collect();
    seen.sort();
    equal("the players that the next call reads", &seen, &rows)?;
    let counts = (0..=max).map(|_| store.count());
    for count in prompt("more calls than connections", join_all(counts)).await? {
        equal("the count", count?, rows.len() as u64)?;
    }
    holds("the pool has more connections than allowed", pool.status().size <= max)?;
    eventually("the server has as many connections as the pool", || Ok(bench.on_server()? == pool.status().size)).await
}

async fn a_dropped_close_can_be_made_again<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    for polls in 0.. {
        let pool = bench.pool(2)?;
        let store = pool.store();
        let (idle, used) = (lend(&pool).await?, lend(&pool).await?);
        drop(idle);
        drop(prompt("the call", polled(store.close(), polls.min(1), Duration::ZERO)).await?);
        drop(used);
        let ended = prompt("the call", polled(store.close(), polls, Duration::ZERO)).await?.transpose()?.is_some();
        prompt("closing again", store.close()).await??;
        refused("the store is closed", store.count().await, ErrorKind::Closed)?;
        eventually("all are closed", || Ok(bench.on_server()? == 0)).await?;
        if ended {
            break;
        }
    }
    Ok(())
}

async fn a_dropped_call_ends_although_the_server_goes_on<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.pool(1)?;
    let store = pool.store();
    store.create_table().await?;
    let player = store.create(&NewPlayer::new("a", 1, 1)).await?;
    let mut other = connect(bench.server.config())?;
    let failed = |error| Failure::caused("the kit's statement failed:", &error);
    other.query_drop("BEGIN").map_err(failed)?;
    other.query_drop("UPDATE players SET coins = 2").map_err(failed)?;

    let executed = bench.sent(CommandKind::Execute);
    let blocked = task::spawn({
        let (store, player) = (Arc::clone(&store), Player { coins: 3, ..player.clone() });
        async move { store.update(&player).await }
    });
    eventually("the update is sent", || Ok(bench.sent(CommandKind::Execute) > executed)).await?;
    status_is(&pool, 1, 0, 0)?;
    blocked.abort();
    eventually("its connection is closed", || Ok(bench.proxy.report().open() == 0)).await?;
    eventually("its thread has ended", || Ok(pool.status().size == 0)).await?;
    let found = prompt("the next call", store.find(player.id)).await??;
    equal("the player as it was", found, Some(player))?;

    other.query_drop("ROLLBACK").map_err(failed)?;
    drop(other);
    eventually("the server ends it too", || Ok(bench.on_server()? == 1)).await?;
    let coins = store.find_by_name("a").await?.map(|player| player.coins);
    holds("the update is made or not", matches!(coins, Some(1 | 3)))
}

async fn a_dropped_call_ends_although_the_server_is_silent<P: TestedPool>(bench: &Bench<P>) -> Result<(), Failure> {
    let pool = bench.probing_pool(1, NEVER)?;
    let store = pool.store();
    store.create_table().await?;
    // At a probe of the idle connection first, then at opening another.
    for _ in 0..2 {
        bench.proxy.hold();
        let (probes, accepted) = (bench.sent(CommandKind::Ping), bench.proxy.report().connections.len());
        let call = task::spawn({
            let store = Arc::clone(&store);
            async move { store.count().await }
        });
        eventually("the call has begun", || {
            let sent = bench.sent(CommandKind::Ping) > probes || bench.proxy.report().connections.len() > accepted;
            Ok(sent && pool.status().size == 1)
        })
        .await?;
        call.abort();
        eventually("its thread has ended", || Ok(pool.status().size == 0 && pool.status().waiting == 0)).await?;
    }
    bench.proxy.release();
    equal("the next call", prompt("the next call", store.count()).await??, 0)?;
    eventually("the server has one connection", || Ok(bench.on_server()? == 1)).await
}

/// A connection of the kit's own, past the proxy.
fn connect(config: &ConnectionConfig) -> Result<Conn, Failure> {
    let options = OptsBuilder::new()
        .ip_or_hostname(Some(config.host()))
        .tcp_port(config.port())
        .user(Some(config.user()))
        .pass(Some(config.password().expose()))
        .db_name(Some(config.database()))
        .prefer_socket(false);
    Conn::new(options).map_err(|error| Failure::caused("the kit cannot connect:", &error))
}
