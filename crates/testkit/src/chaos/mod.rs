//! Invariants under chaos: what a store promises while its server is killed, its connections are cut and its network goes
//! silent, at random. The same run for every driver, as a test program with a server of its own, which the
//! [playground](tidb_connect_playground::Playground::find) finds and starts.
//!
//! A few workers trade, insert and read through one store, by way of a [`Proxy`](tidb_connect_wire::Proxy); meanwhile one
//! disturbance follows another, in an order and with lengths that come from a seed. What must hold:
//!
//! - **Bank.** Every read has every player, and the sums of all coins and goods are the same in all reads.
//! - **Set.** What was acknowledged is there, what was refused is not, nothing is there twice or in part.
//! - **Trades.** Every buyer has the goods of its acknowledged trades, and of no others than those whose outcome was
//!   unknown: an error that says that nothing was applied is right.
//! - **Refusals.** No error says that the same call would fail again: nothing is wrong with any.
//! - **Recovery.** Once a disturbance is over, every worker is served again within [`SERVES_AGAIN`], by the same pool.
//!
//! One thing is not held against a store: now and then TiDB's embedded storage leaves players out that are being changed,
//! for every client. How many reads lacked players is reported as a difference; such a read has no sums to look at.
//! Everything else holds there as well, SIGKILL included.
//!
//! Two environment variables change the run:
//!
//! - `CHAOS_SEED` repeats the disturbances of another run. A run prints its seed at its start. What the workers meet
//!   depends on the machine all the same.
//! - `CHAOS_MINUTES` makes a long run, with a progress bar on a terminal and a report on stdout, and no tests. It exits
//!   with 0 when everything held, with 1 when something did not, and with 2 when the run could not be made.

mod disturbance;
mod report;
mod workload;

use std::{
    collections::BTreeMap,
    env,
    error::Error as StdError,
    future::Future,
    io::{self, Write},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use libtest_mimic::{Arguments, Completion, Trial};
use tidb_connect_core::{ConnectionConfig, Result as StoreResult, players::PlayerStore};
use tidb_connect_playground::Playground;
use tokio::runtime;

use self::{disturbance::Disturber, report::Report, workload::Workload};
use crate::{Failure, Server, suite::Opener};

/// The time-outs of the store under test: short, so that a run meets them.
pub const CONNECT: Duration = Duration::from_secs(2);
/// See [`CONNECT`].
pub const OPERATION: Duration = Duration::from_secs(2);
/// See [`CONNECT`].
pub const ACQUIRE: Duration = Duration::from_secs(3);

/// How soon a pool must serve all its callers again after a disturbance: as long as a call may take that has met its last
/// moment, which waits for a connection, and on it for an answer that does not come.
pub const SERVES_AGAIN: Duration = Duration::from_secs(ACQUIRE.as_secs() + OPERATION.as_secs());

/// Between two disturbances: from this to twice as long.
const CALM: Duration = Duration::from_millis(300);

/// Runs the invariants of `driver` as a test program; `open` gets the configuration of a small pool.
#[must_use = "return it from `main`, or failures go unseen"]
pub fn run<S, Fut>(driver: &'static str, open: impl Fn(ConnectionConfig) -> Fut + Send + Sync + 'static) -> ExitCode
where
    S: PlayerStore,
    Fut: Future<Output = StoreResult<S>> + Send + 'static,
{
    let open = Opener::new(open);
    match env::var("CHAOS_MINUTES") {
        Ok(minutes) => long(driver, &open, &minutes),
        Err(_) => short(driver, open),
    }
}

/// One run with each disturbance once, of which every invariant is a test.
fn short(driver: &'static str, open: Opener) -> ExitCode {
    // Made by the first test that is not filtered out.
    let made: Arc<Mutex<Option<Result<Report, String>>>> = Arc::default();
    let trials = report::INVARIANTS.iter().map(|&(name, invariant)| {
        let (made, open) = (Arc::clone(&made), open.clone());
        Trial::ignorable_test(format!("{driver}::chaos_{name}"), move || {
            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
            let made = made.get_or_insert_with(|| {
                let made = seed(driver).and_then(|seed| make(driver, &open, seed, Duration::ZERO, |_| {}));
                let made = made.map_err(|failure| failure.to_string());
                made.inspect(|report| say(&report.to_string()))
            });
            let report = made.as_ref().map_err(|failure| Failure::new(failure.as_str()))?;
            match (invariant(report), report.difference(name)) {
                (Ok(()), _) => Ok(Completion::Completed),
                (Err(_), Some(reason)) => Ok(Completion::ignored_with(reason)),
                (Err(broken), None) => {
                    Err(format!("{broken}\nCHAOS_SEED={} repeats the disturbances", report.seed).into())
                }
            }
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// A run of many minutes, and its report.
fn long(driver: &'static str, open: &Opener, minutes: &str) -> ExitCode {
    match make_long(driver, open, minutes) {
        Ok(report) => {
            // Whoever closed stdout wants no report.
            let _ = writeln!(io::stdout(), "{report}");
            if report.is_kept() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            say(&failure.to_string());
            ExitCode::from(2)
        }
    }
}

fn make_long(driver: &'static str, open: &Opener, minutes: &str) -> Result<Report, Failure> {
    let length = length_of(minutes).ok_or_else(|| {
        Failure::new(format!("CHAOS_MINUTES is {minutes:?}, which is no number of minutes between 0 and 1440"))
    })?;
    let seed = seed(driver)?;
    let bar = ProgressBar::new(length.as_secs()).with_prefix(driver);
    // A template of ours, which is not wrong; the usual bar would do as well.
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {elapsed_precise} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    let made = make(driver, open, seed, length, |now| {
        bar.set_position(bar.elapsed().as_secs().min(length.as_secs()));
        bar.set_message(now.to_owned());
    });
    bar.finish_and_clear();
    made
}

fn length_of(minutes: &str) -> Option<Duration> {
    let minutes: f64 = minutes.parse().ok()?;
    (0.0..=1440.0).contains(&minutes).then(|| Duration::from_secs_f64(minutes * 60.0))
}

/// For the person who waits; stdout is for results.
fn say(text: &str) {
    // Whoever closed stderr wants to hear nothing.
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
}

/// The seed of the run that is asked for, which is said before anything can go wrong.
fn seed(driver: &str) -> Result<u64, Failure> {
    let seed = match env::var("CHAOS_SEED") {
        Ok(seed) => seed.parse().map_err(|_| Failure::new(format!("CHAOS_SEED is {seed:?}, which is no number")))?,
        Err(_) => fastrand::u32(..).into(),
    };
    say(&format!("{driver}: CHAOS_SEED={seed}"));
    Ok(seed)
}

/// Makes a run of whole rounds, each with all disturbances, until `length` has passed; `tell` hears what goes on.
fn make(
    driver: &'static str,
    open: &Opener,
    seed: u64,
    length: Duration,
    tell: impl Fn(&str),
) -> Result<Report, Failure> {
    let broken = |error: &(dyn StdError + 'static)| Failure::caused("the kit cannot start:", error);
    tell("starting a server");
    let playground = Playground::find().map_err(|error| broken(&error))?.with_durable_data();
    let process = playground.start().map_err(|error| broken(&error))?;
    let (kind, version) = (process.kind(), process.version().to_owned());
    let direct = ConnectionConfig::new().with_host(process.host()).with_port(process.port()).with_user("root");
    let server = Server::create_on(direct, driver, open.clone())?;
    let proxy = server.proxy()?;

    let config = server.config().clone();
    let pool = config.pool().clone().with_acquire_timeout(ACQUIRE);
    let config = config.with_pool(pool).with_connect_timeout(CONNECT).with_operation_timeout(OPERATION);
    let config = config.with_host(proxy.addr().ip().to_string()).with_port(proxy.addr().port());
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| broken(&error))?;
    let store = runtime.block_on(open.open(config))?;

    let started = Instant::now();
    let mut workload = Workload::start(&runtime, store, &server, seed)?;
    let mut disturber = Disturber { process, server: &server, proxy: &proxy, random: fastrand::Rng::with_seed(seed) };
    let mut disturbances = BTreeMap::new();
    let mut stuck = None;
    while stuck.is_none() && (disturbances.is_empty() || started.elapsed() < length) {
        for disturbance in disturber.round() {
            disturber.pause(CALM);
            tell(&disturbance.to_string());
            let Some(recovery) = disturber.cause(disturbance, &workload)? else {
                stuck = Some(Failure::new(format!("not all callers are served again after: {disturbance}")));
                break;
            };
            let (times, worst) = disturbances.entry(disturbance).or_insert((0, Duration::ZERO));
            (*times, *worst) = (*times + 1, recovery.max(*worst));
        }
    }
    disturber.pause(CALM);
    let length = started.elapsed();
    tell("looking at the end");
    stuck = stuck.or(workload.stop(&runtime).err());
    // What is still on its way arrives, or is dropped.
    proxy.stop();
    disturbance::gone(&server)?;
    let rows = workload::rows_of(&server)?;
    let ledger = std::mem::take(&mut *workload.ledger());
    // A call that does not end keeps its thread, if it has one.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(Report { driver, kind, version, seed, length, disturbances, stuck, ledger, rows })
}
