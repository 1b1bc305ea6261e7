//! Checks on a stand-in for a server, as a test program.

use std::{
    env, fmt,
    future::Future,
    panic,
    process::{Command, ExitCode},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use libtest_mimic::{Arguments, Trial};
use tidb_connect_core::ConnectionConfig;
use tidb_connect_wire::{Script, StandIn};
use tokio::{runtime, time::timeout};

use crate::{
    Failure,
    failure::holds,
    suite::{Difference, judge},
};

/// The password of every configuration here, searched for in all that is shown and sent.
pub(crate) const CANARY: &str = "canary-4f9d1c";

/// The time-outs of checks that wait for one. The others' are the usual ones, which nothing here takes.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

/// What takes longer has waited for a time-out that is not [`SHORT`].
pub(crate) const PROMPT: Duration = Duration::from_secs(10);

/// A check that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// The checks of one driver on stand-ins, as a test program: [`refusals`](crate::refusals), [`hostile`](crate::hostile).
#[must_use = "a suite does nothing until it is run"]
pub struct StandInSuite {
    driver: &'static str,
    checks: Vec<(&'static str, Check)>,
    differences: Vec<Difference>,
}

type Check = Box<dyn FnOnce() -> BoxFuture<'static, Result<(), Failure>> + Send>;

impl StandInSuite {
    pub(crate) fn new(driver: &'static str) -> Self {
        Self { driver, checks: Vec::new(), differences: Vec::new() }
    }

    pub(crate) fn check<F>(&mut self, name: &'static str, check: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        self.checks.push((name, Box::new(move || check().boxed())));
    }

    /// A check that runs in a process of its own with little memory, so that what would end the process is a failure.
    pub(crate) fn check_apart<F>(&mut self, name: &'static str, check: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let test = format!("{}::{name}", self.driver);
        self.check(name, move || async move { if is_apart() { check().await } else { run_apart(&test) } });
    }

    /// Declares that the driver does not pass `check`, and why. Should it pass after all, the test fails.
    pub fn with_difference(mut self, check: &'static str, reason: &'static str) -> Self {
        self.differences.push(Difference { check, reason });
        self
    }

    /// Runs the tests that the command line asks for.
    #[must_use = "return it from `main`, or failures go unseen"]
    pub fn run(self) -> ExitCode {
        // A driver's panic is caught and becomes an error, which is what is checked. One of a check is told by the harness.
        panic::set_hook(Box::new(|_| {}));
        let mut arguments = Arguments::from_args();
        // One at a time: some measure the memory of the process.
        arguments.test_threads.get_or_insert(1);
        let Self { driver, checks, differences } = self;
        let unknown = differences.iter().filter(|difference| checks.iter().all(|(name, _)| *name != difference.check));
        let unknown: Vec<Trial> = unknown.map(|difference| difference.unknown(driver)).collect();
        let trials = checks.into_iter().map(|(name, check)| {
            // The process that has started this one turns the result round.
            let difference = differences.iter().find(|it| it.check == name && !is_apart()).copied();
            let kind = if difference.is_some() { "differs" } else { "" };
            let test = move || Ok(judge(difference, conduct(check))?);
            Trial::test(format!("{driver}::{name}"), test).with_kind(kind)
        });
        libtest_mimic::run(&arguments, trials.chain(unknown).collect()).exit_code()
    }
}

impl fmt::Debug for StandInSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks: Vec<&str> = self.checks.iter().map(|(name, _)| *name).collect();
        let Self { driver, differences, .. } = self;
        f.debug_struct("StandInSuite")
            .field("driver", driver)
            .field("checks", &checks)
            .field("differences", differences)
            .finish()
    }
}

/// The variable that says that this process runs one check for another process.
const APART: &str = "TIDB_CONNECT_TESTKIT_APART";

/// The memory of such a process: its threads and the driver's buffers take a part of it.
const APART_MEMORY: u64 = 1 << 30;

fn is_apart() -> bool {
    env::var_os(APART).is_some()
}

/// Runs one test of this program in another process, whose address space is limited.
fn run_apart(test: &str) -> Result<(), Failure> {
    let broken = |error| Failure::caused("the kit cannot start another process:", &error);
    let limited = format!("ulimit -v {}; exec \"$@\"", APART_MEMORY >> 10);
    let output = Command::new("sh")
        .args(["-c", &limited, "sh"])
        .arg(env::current_exe().map_err(broken)?)
        .args(["--exact", test])
        .env(APART, "")
        // Each thread reserves more otherwise.
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .map_err(broken)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let end: String =
        said.lines().chain(String::from_utf8_lossy(&output.stderr).lines()).collect::<Vec<_>>().join("\n");
    holds(&format!("the other process ended with {}:\n{end}", output.status), output.status.success())?;
    holds(&format!("the other process ran no test:\n{end}"), said.contains("1 passed"))
}

/// Makes a check on a task of its own, so that neither a panic nor a blocked thread goes further.
fn conduct(check: Check) -> Result<(), Failure> {
    let broken = |error| Failure::caused("the kit cannot start a tokio runtime:", &error);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(broken)?;
    let task = runtime.spawn(async move { check().await });
    let ended = runtime.block_on(async { timeout(LIMIT, task).await });
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Failure::new(format!("the driver's panic reaches the caller: {panic}"))),
        Err(_) => Err(Failure::new(format!("the check hangs: no end after {LIMIT:?}"))),
    }
}

/// Starts a stand-in, and says how to connect to it.
pub(crate) fn start(script: Script) -> Result<(StandIn, ConnectionConfig), Failure> {
    let server = StandIn::start(script).map_err(|error| Failure::caused("the kit cannot start a stand-in:", &error))?;
    let config = ConnectionConfig::new()
        .with_host("127.0.0.1")
        .with_port(server.addr().port())
        .with_user("teller")
        .with_password(CANARY);
    Ok((server, config))
}

/// The configuration with time-outs that a check can wait for.
pub(crate) fn impatient(config: ConnectionConfig) -> ConnectionConfig {
    config.with_connect_timeout(SHORT).with_operation_timeout(SHORT)
}

/// Fails when the stand-in has been told the password.
pub(crate) fn told_no_secret(server: &StandIn) -> Result<(), Failure> {
    holds("the password was sent", !server.visits().iter().any(|visit| visit.has_sent(CANARY)))
}

/// Fails when `shown` has the password in it.
pub(crate) fn keeps_secret(shown: &str) -> Result<(), Failure> {
    holds(&format!("the password is shown: {shown}"), !shown.contains(CANARY))
}
