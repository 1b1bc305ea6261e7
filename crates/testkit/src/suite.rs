//! The checks as a test program.

use std::{fmt, future::Future, process::ExitCode, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use libtest_mimic::{Arguments, Completion, Trial};
use tidb_connect_core::{
    ConnectionConfig, Result as StoreResult,
    players::{MemoryStore, PlayerStore},
};
use tokio::{runtime, time};

use crate::{
    Failure, Server,
    checks::{self, Check, Run},
};

/// The store under test. Clones share it.
pub type Store = Arc<dyn PlayerStore>;

/// A check that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Checks at once: many of them wait, and each is a few connections to a server that often shares the machine.
const MAX_THREADS: usize = 4;

/// How a store is opened.
#[derive(Clone)]
pub(crate) struct Opener(Arc<dyn Fn(ConnectionConfig) -> BoxFuture<'static, StoreResult<Store>> + Send + Sync>);

impl Opener {
    pub(crate) fn new<S, Fut>(open: impl Fn(ConnectionConfig) -> Fut + Send + Sync + 'static) -> Self
    where
        S: PlayerStore,
        Fut: Future<Output = StoreResult<S>> + Send + 'static,
    {
        Self(Arc::new(move |config| {
            let opening = open(config);
            Box::pin(async move { Ok(Arc::new(opening.await?) as Store) })
        }))
    }

    /// For checks that open no store.
    pub(crate) fn none() -> Self {
        Self::new(|_| async { Ok(MemoryStore::new()) })
    }

    pub(crate) async fn open(&self, config: ConnectionConfig) -> StoreResult<Store> {
        (self.0)(config).await
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

/// The checks that apply to one store, as a test program.
#[must_use = "a suite does nothing until it is run"]
#[derive(Clone, Debug)]
pub struct Suite {
    name: &'static str,
    open: Opener,
    on_server: bool,
    differences: Vec<Difference>,
}

/// A check that a store is known not to pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Difference {
    pub(crate) check: &'static str,
    pub(crate) reason: &'static str,
}

impl Difference {
    /// A test that fails, because `check` is no name of a check.
    pub(crate) fn unknown(&self, suite: &str) -> Trial {
        let check = self.check;
        Trial::test(format!("{suite}::{check}"), move || {
            Err(format!("a difference is declared for {check}, which is no check of this suite").into())
        })
    }
}

impl Suite {
    /// The checks for a store on a server; `open` gets a configuration with an empty database and a small pool.
    ///
    /// The server must be named by the environment; `name` stands before the names of tests and in those of databases.
    pub fn on_server<S, Fut>(name: &'static str, open: impl Fn(ConnectionConfig) -> Fut + Send + Sync + 'static) -> Self
    where
        S: PlayerStore,
        Fut: Future<Output = StoreResult<S>> + Send + 'static,
    {
        Self { name, open: Opener::new(open), on_server: true, differences: Vec::new() }
    }

    /// The checks for a store that needs no server; `open` makes an empty one.
    pub fn in_process<S, Fut>(name: &'static str, open: impl Fn() -> Fut + Send + Sync + 'static) -> Self
    where
        S: PlayerStore,
        Fut: Future<Output = StoreResult<S>> + Send + 'static,
    {
        Self { name, open: Opener::new(move |_| open()), on_server: false, differences: Vec::new() }
    }

    /// Declares that the store does not pass `check`, and why. Should it pass after all, the test fails.
    pub fn with_difference(mut self, check: &'static str, reason: &'static str) -> Self {
        self.differences.push(Difference { check, reason });
        self
    }

    /// Runs the tests that the command line asks for.
    #[must_use = "return it from `main`, or failures go unseen"]
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(MAX_THREADS);
        libtest_mimic::run(&arguments, self.trials()).exit_code()
    }

    /// The tests, for a test program that has others beside them.
    #[must_use]
    pub fn trials(self) -> Vec<Trial> {
        let applies = |check: &&Check| self.on_server || matches!(check.run, Run::Anywhere(_));
        let checks: Vec<Check> = checks::ALL.iter().filter(applies).copied().collect();
        let unknown = self.differences.iter().filter(|difference| checks.iter().all(|c| c.name != difference.check));
        let unknown: Vec<Trial> = unknown.map(|difference| difference.unknown(self.name)).collect();
        checks.into_iter().map(|check| self.trial(check)).chain(unknown).collect()
    }

    fn trial(&self, check: Check) -> Trial {
        let (suite, difference) = (self.clone(), self.differences.iter().find(|d| d.check == check.name).copied());
        let trial =
            Trial::ignorable_test(format!("{}::{}", self.name, check.name), move || match suite.conduct(check)? {
                Verdict::Ignored(reason) => Ok(Completion::ignored_with(reason)),
                Verdict::Judged(result) => Ok(judge(difference, result).map(|()| Completion::Completed)?),
            });
        trial.with_kind(if difference.is_some() { "differs" } else { "" })
    }

    /// Makes `check`, on a server in a database of its own. An error means that it could not be made.
    fn conduct(&self, check: Check) -> Result<Verdict, Failure> {
        if !self.on_server {
            return self.observe(check, None);
        }
        let server = Arc::new(Server::create(self.name, self.open.clone())?);
        let verdict = self.observe(check, Some(Arc::clone(&server)));
        let removed = server.remove();
        verdict.and_then(|verdict| removed.map(|()| verdict))
    }

    fn observe(&self, check: Check, server: Option<Arc<Server>>) -> Result<Verdict, Failure> {
        let broken = |error| Failure::caused("the kit cannot start a tokio runtime:", &error);
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(broken)?;
        // On a task of its own, so that neither a panic nor a blocked thread keeps the database from being dropped.
        let task = runtime.spawn(make(check, self.open.clone(), server));
        let ended = runtime.block_on(async { time::timeout(LIMIT, task).await });
        runtime.shutdown_timeout(Duration::from_secs(1));
        match ended {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(panic)) => Ok(Verdict::Judged(Err(Failure::new(format!("the check did not end: {panic}"))))),
            Err(_) => Ok(Verdict::Judged(Err(Failure::new(format!("the check hangs: no end after {LIMIT:?}"))))),
        }
    }
}

enum Verdict {
    Ignored(&'static str),
    Judged(Result<(), Failure>),
}

async fn make(check: Check, open: Opener, server: Option<Arc<Server>>) -> Result<Verdict, Failure> {
    let config = match &server {
        Some(server) if matches!(check.run, Run::OnTidb(_)) && !server.is_tidb()? => {
            return Ok(Verdict::Ignored("the server is not TiDB"));
        }
        Some(server) => server.config().clone(),
        None => ConnectionConfig::new(),
    };
    let store = open.open(config).await.map_err(|error| Failure::caused("the store cannot be opened:", &error))?;
    let result = match (check.run, server) {
        (Run::Anywhere(check), _) => check(&store).await,
        (Run::OnServer(check) | Run::OnTidb(check), Some(server)) => check(&store, &server).await,
        (_, None) => return Err(Failure::new("the check needs a server")),
    };
    let closed = store.close().await.map_err(Failure::from);
    Ok(Verdict::Judged(result.and(closed)))
}

/// Turns the result round where a difference is declared.
pub(crate) fn judge(difference: Option<Difference>, result: Result<(), Failure>) -> Result<(), Failure> {
    match (difference, result) {
        (None, result) => result,
        (Some(_), Err(_)) => Ok(()),
        (Some(Difference { reason, .. }), Ok(())) => Err(Failure::new(format!(
            "there is no difference any more: the check passes, although a difference is declared ({reason})"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use tidb_connect_core::{Error, ErrorKind};

    use super::*;

    const CHECK: &str = "create_refuses_a_taken_name";

    fn suite() -> Suite {
        Suite::in_process("memory", || async { Ok(MemoryStore::new()) })
    }

    fn failed(suite: Suite) -> u64 {
        let arguments =
            Arguments { filter: Some("refuses".into()), logfile: Some("/dev/null".into()), ..Arguments::default() };
        libtest_mimic::run(&arguments, suite.trials()).num_failed
    }

    #[test]
    fn a_declared_difference_must_be_one() {
        assert_eq!(failed(suite()), 0);
        assert_eq!(failed(suite().with_difference(CHECK, "it does not differ")), 1);
        assert_eq!(failed(suite().with_difference("a_check_that_refuses_to_exist", "misspelt")), 1);
    }

    #[test]
    fn a_difference_turns_the_result_round() {
        let difference = Some(Difference { check: CHECK, reason: "a reason" });
        let broken = || Err(Failure::new("broken"));
        assert!(judge(None, Ok(())).is_ok() && judge(None, broken()).is_err());
        assert!(judge(difference, broken()).is_ok());
        let text = judge(difference, Ok(())).expect_err("no difference").to_string();
        assert!(text.contains("no difference any more") && text.contains("a reason"), "{text}");
    }

    #[test]
    fn what_keeps_a_check_from_being_made_is_no_difference() {
        let cannot_open = || async { Err::<MemoryStore, _>(Error::new(ErrorKind::Unreachable, "nobody listens")) };
        let suite = Suite::in_process("memory", cannot_open);
        assert_eq!(failed(suite.clone().with_difference(CHECK, "a reason")), failed(suite));
    }

    #[test]
    fn a_panic_is_a_failure_of_the_check() {
        let check = Check { name: "panics", run: Run::Anywhere(|_| Box::pin(async { panic!("on purpose") })) };
        let verdict = suite().conduct(check);
        assert!(matches!(verdict, Ok(Verdict::Judged(Err(failure))) if failure.to_string().contains("on purpose")));
    }
}
