//! Transactions that are tried again as a whole: the loop behind every driver crate's `transaction`.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Instrument, Span, field::Empty, info_span};

use crate::{
    Error, ErrorKind, Fault, NotSent, Outcome, Phase, Result, Retry, RetryPolicy, ServerError,
    telemetry::{TARGET, record_failure},
};

/// How TiDB meets conflicts.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionMode {
    /// Rows are locked as they are changed, and others wait: TiDB's default since v3.0.8.
    #[default]
    Pessimistic,
    /// Conflicts are found at `COMMIT`, which then fails and is tried again: cheaper where they are rare.
    Optimistic,
}

impl TransactionMode {
    /// Obeyed by TiDB; a plain `BEGIN` to MariaDB and MySQL. Measured on TiDB v8.5.3 and MariaDB 10.11.
    const fn begin(self) -> &'static str {
        match self {
            Self::Pessimistic => "BEGIN /*T! PESSIMISTIC */",
            Self::Optimistic => "BEGIN /*T! OPTIMISTIC */",
        }
    }
}

/// How a transaction is run.
#[derive(Clone)]
pub struct TransactionOptions {
    mode: TransactionMode,
    retry: RetryPolicy,
    on_attempt: Arc<dyn Fn(&AttemptStarted) + Send + Sync>,
}

/// What the hook of [`TransactionOptions::with_on_attempt`] hears.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct AttemptStarted {
    /// 1 for the first attempt.
    pub number: u32,
    /// What ended the attempt before; `None` for the first.
    pub after: Option<ErrorKind>,
    /// The time since the first attempt started.
    pub elapsed: Duration,
}

impl Default for TransactionOptions {
    fn default() -> Self {
        Self { mode: TransactionMode::default(), retry: RetryPolicy::transaction(), on_attempt: Arc::new(|_| ()) }
    }
}

impl TransactionOptions {
    /// Pessimistic, [`RetryPolicy::transaction`], no hook.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How conflicts are met. Default: [`TransactionMode::Pessimistic`].
    #[must_use]
    pub fn with_mode(mut self, mode: TransactionMode) -> Self {
        self.mode = mode;
        self
    }

    /// How often and how long to try. Default: [`RetryPolicy::transaction`].
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// A hook that is called as each attempt starts, for logs and metrics.
    #[must_use]
    pub fn with_on_attempt(mut self, hook: impl Fn(&AttemptStarted) + Send + Sync + 'static) -> Self {
        self.on_attempt = Arc::new(hook);
        self
    }
}

impl fmt::Debug for TransactionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, retry, .. } = self;
        f.debug_struct("TransactionOptions").field("mode", mode).field("retry", retry).finish_non_exhaustive()
    }
}

/// A transaction that is committed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the closure returned.
    pub value: T,
    /// How many attempts it took; 1 when nothing was in the way.
    pub attempts: u32,
}

/// A transaction that is not committed, or not known to be. `E` is the closure's own error type.
#[non_exhaustive]
#[derive(Debug)]
pub enum TransactionError<E> {
    /// The closure failed for a reason of its own, here untouched; everything was rolled back.
    Aborted(E),
    /// Conflicts, lost connections or a busy server ended every attempt that the policy allowed; nothing was applied.
    #[non_exhaustive]
    Exhausted {
        /// How many attempts there were.
        attempts: u32,
        /// What ended the last one.
        kind: ErrorKind,
        /// The error that ended the last one.
        last: LastFailure<E>,
    },
    /// A statement timed out, or the closure went on after one that ended the transaction in a way that another attempt would
    /// not mend; nothing was applied, and nothing was retried.
    #[non_exhaustive]
    Stopped {
        /// What ended the transaction.
        kind: ErrorKind,
        /// The error that ended it.
        last: LastFailure<E>,
    },
    /// The server or the connection failed outside the closure; nothing was applied.
    Failed(Error),
    /// A statement of the closure committed or ended the transaction itself, as `COMMIT` and DDL do. What ran before it may
    /// be applied; nothing ran after it, and nothing was retried.
    Ended(LastFailure<E>),
    /// The connection was lost while `COMMIT` was on its way: it may have been applied. Look before you call again;
    /// a unique key written in the transaction is the surest thing to look for.
    Unknown(Error),
}

/// What ended the last attempt of a transaction.
#[non_exhaustive]
#[derive(Debug)]
pub enum LastFailure<E> {
    /// The closure returned this, after one of its statements had ended the attempt.
    Closure(E),
    /// `BEGIN`, `COMMIT` or a statement whose error the closure did not pass on failed with this.
    Database(Error),
}

impl<E> LastFailure<E> {
    fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Closure(_) => None,
            Self::Database(error) => error.server(),
        }
    }
}

impl<E> TransactionError<E> {
    /// What holds for the data: unknown for [`Unknown`](Self::Unknown) and [`Ended`](Self::Ended); otherwise nothing was
    /// applied.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Aborted(_) => Outcome::Final,
            Self::Exhausted { .. } => Outcome::Retryable,
            // The statement is as slow, or as wrong, next time, unless the server was merely busy.
            Self::Stopped { kind, .. } if *kind == ErrorKind::TimedOut => Outcome::Retryable,
            Self::Stopped { .. } => Outcome::Final,
            Self::Ended(_) => Outcome::Unknown,
            Self::Failed(error) | Self::Unknown(error) => error.outcome(),
        }
    }
}

impl<E> fmt::Display for TransactionError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(_) => f.write_str("the transaction was rolled back because its closure failed"),
            Self::Exhausted { attempts, kind, .. } => {
                let met = match kind {
                    ErrorKind::Conflict => "met a conflict",
                    ErrorKind::ConnectionLost | ErrorKind::Unreachable => "lost its connection",
                    ErrorKind::Unavailable | ErrorKind::TooManyConnections => "found the server busy or shutting down",
                    _ => "failed",
                };
                write!(f, "the transaction was tried {attempts} times, and the last attempt {met}; nothing was applied")
            }
            Self::Stopped { kind: ErrorKind::TimedOut, .. } => {
                f.write_str("a statement of the transaction timed out; nothing was applied, and nothing was retried")
            }
            Self::Stopped { kind: ErrorKind::InvalidInput, .. } => f.write_str(
                "the closure went on after a statement that would have committed or ended the transaction itself, and that \
                 was not sent; nothing was applied, and nothing was retried",
            ),
            Self::Stopped { .. } => {
                f.write_str("a failed statement ended the transaction; nothing was applied, and nothing was retried")
            }
            Self::Failed(_) => f.write_str("the transaction failed; nothing was applied"),
            Self::Ended(_) => f.write_str(
                "a statement of the closure committed or ended the transaction itself; what ran before it may be applied, \
                 and nothing was retried",
            ),
            Self::Unknown(_) => {
                f.write_str("whether the transaction was committed is unknown: look before trying again")
            }
        }
    }
}

impl<E: StdError + 'static> StdError for TransactionError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(match self {
            Self::Aborted(error) => error,
            Self::Exhausted { last, .. } | Self::Stopped { last, .. } | Self::Ended(last) => match last {
                LastFailure::Closure(error) => error,
                LastFailure::Database(error) => error,
            },
            Self::Failed(error) | Self::Unknown(error) => error,
        })
    }
}

/// What the statements of an attempt have met, as far as it decides about the transaction around them. Without an attempt
/// under way, it takes note of nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    under_way: bool,
    end: Option<End>,
}

/// How a statement ended an attempt.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Another attempt may succeed.
    Retry(ErrorKind),
    /// Nothing is applied, and no other attempt follows.
    Stop(ErrorKind),
    /// The statement committed or ended the transaction.
    Ended,
}

impl Verdict {
    /// An attempt begins.
    pub fn begin(&mut self) {
        *self = Self { under_way: true, end: None };
    }

    /// Whether an attempt is under way.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        self.under_way
    }

    /// Takes note of a statement's failure. The first one that ends the attempt stays, whatever the closure makes of it.
    pub fn note(&mut self, fault: &Fault) {
        if !self.under_way || self.end.is_some() {
            return;
        }
        self.end = match (fault, fault.classify(Phase::Transaction)) {
            (Fault::TransactionEnded, _) => Some(End::Ended),
            // A closure that goes on as if its statement had run must not be committed.
            (Fault::NotSent(NotSent::EndsTransaction), (kind, _)) => Some(End::Stop(kind)),
            (Fault::NotSent(_), _) => None,
            // The statement may still run on the server, and another attempt would add one more.
            (_, (kind @ ErrorKind::TimedOut, _)) => Some(End::Stop(kind)),
            (_, (kind, Outcome::Retryable)) => Some(End::Retry(kind)),
            (fault, (kind, _)) => fault.ends_transaction().then_some(End::Stop(kind)),
        };
    }

    /// Refuses further statements once the server may have rolled back: they would be applied one by one.
    ///
    /// # Errors
    /// [`NotSent::AttemptOver`].
    pub fn check(self) -> Result<(), NotSent> {
        match self.end {
            None => Ok(()),
            Some(End::Retry(kind) | End::Stop(kind)) => Err(NotSent::AttemptOver(kind)),
            Some(End::Ended) => Err(NotSent::AttemptOver(ErrorKind::InvalidInput)),
        }
    }
}

/// One driver's connection, as far as transactions need it.
pub trait Session: Send {
    /// Runs `BEGIN`, `COMMIT` or `ROLLBACK`.
    fn control(&mut self, statement: &'static str, phase: Phase) -> impl Future<Output = Result<()>> + Send;

    /// What the connection's statements have met since the last attempt.
    fn verdict(&mut self) -> &mut Verdict;

    /// Makes sure that the connection is closed and not used again.
    fn condemn(&mut self);

    /// Waits on the driver's clock.
    fn pause(time: Duration) -> impl Future<Output = ()> + Send;
}

/// Where a transaction gets its connections from: a pool, or the caller.
pub trait Sessions: Send {
    /// A connection.
    type Session: Session;

    /// A connection for an attempt.
    ///
    /// # Errors
    /// Why there is none.
    fn open(&mut self) -> impl Future<Output = Result<Self::Session>> + Send;

    /// Takes a connection back that is in step and has no transaction open.
    fn give_back(&mut self, session: Self::Session);
}

/// What the closure gets, and what its driver crate wraps: a connection with a transaction open.
///
/// Dropping it hands the connection back to the loop, which commits or rolls back.
#[derive(Debug)]
pub struct Handle<S: Session> {
    /// Present until drop.
    session: Option<S>,
    home: Arc<Home<S>>,
}

/// Where the connection is put when the closure is done with it. If nobody takes it from there, because the whole
/// transaction was dropped, it is closed, since a transaction is open on it.
#[derive(Debug)]
struct Home<S: Session>(Mutex<Option<S>>);

impl<S: Session> Home<S> {
    fn slot(&self) -> MutexGuard<'_, Option<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Session> Drop for Home<S> {
    fn drop(&mut self) {
        if let Some(session) = self.slot().as_mut() {
            session.condemn();
        }
    }
}

impl<S: Session> Handle<S> {
    /// The connection, to be looked at.
    #[must_use]
    pub fn session(&self) -> &S {
        self.session.as_ref().expect("present until drop")
    }

    /// The connection.
    pub fn session_mut(&mut self) -> &mut S {
        self.session.as_mut().expect("present until drop")
    }
}

impl<S: Session> Drop for Handle<S> {
    fn drop(&mut self) {
        *self.home.slot() = self.session.take();
    }
}

/// An open transaction that is closed, connection and all, when the future that runs it is dropped.
struct Open<S: Session>(Option<S>);

impl<S: Session> Open<S> {
    fn get(&mut self) -> &mut S {
        self.0.as_mut().expect("present until done")
    }

    fn done(mut self) -> S {
        self.0.take().expect("present until done")
    }
}

impl<S: Session> Drop for Open<S> {
    fn drop(&mut self) {
        if let Some(session) = &mut self.0 {
            session.condemn();
        }
    }
}

/// How one attempt ended.
enum Ended<T, E> {
    Committed(T),
    Over(TransactionError<E>),
    Again(ErrorKind, LastFailure<E>),
}

/// Runs `work` in a transaction until it is committed, refused, or out of attempts.
///
/// Retries from `BEGIN` on when a statement, `BEGIN` or `COMMIT` met a conflict, a busy server or a lost connection before
/// anything could be made permanent, whatever the closure then returned, since the server may have rolled back already.
/// Never retries after a time-out, after a statement that committed or ended the transaction itself, or once a `COMMIT` has
/// left without an answer.
///
/// Dropping the future closes the connection, and the server rolls back; once `COMMIT` has left, whether it was applied
/// is unknown.
///
/// # Errors
/// See [`TransactionError`].
pub async fn run<C, T, E, F, Fut>(
    sessions: &mut C,
    options: &TransactionOptions,
    work: F,
) -> Result<Committed<T>, TransactionError<E>>
where
    C: Sessions,
    F: FnMut(Handle<C::Session>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let span = info_span!(
        target: TARGET,
        "transaction",
        otel.status_code = Empty,
        db.system.name = "mysql",
        db.response.status_code = Empty,
        "error.type" = Empty,
        attempts = Empty,
        outcome = Empty,
    );
    let mut retry = options.retry.clone().start();
    let result = make(sessions, options, &mut retry, work).instrument(span.clone()).await;
    span.record("attempts", retry.attempts());
    match &result {
        Ok(_) => {
            span.record("outcome", "committed");
        }
        Err(error) => record_end(&span, error),
    }
    result
}

fn record_end<E>(span: &Span, error: &TransactionError<E>) {
    let (outcome, kind, server) = match error {
        TransactionError::Aborted(_) => ("aborted", None, None),
        TransactionError::Exhausted { kind, last, .. } => ("exhausted", Some(*kind), last.server()),
        TransactionError::Stopped { kind, last } => ("stopped", Some(*kind), last.server()),
        TransactionError::Ended(last) => ("ended", Some(ErrorKind::InvalidInput), last.server()),
        TransactionError::Failed(error) => ("failed", Some(error.kind()), error.server()),
        TransactionError::Unknown(error) => ("unknown", Some(error.kind()), error.server()),
    };
    span.record("outcome", outcome);
    record_failure(span, kind, server);
}

/// The attempts of a [`run`].
async fn make<C, T, E, F, Fut>(
    sessions: &mut C,
    options: &TransactionOptions,
    retry: &mut Retry,
    mut work: F,
) -> Result<Committed<T>, TransactionError<E>>
where
    C: Sessions,
    F: FnMut(Handle<C::Session>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let (started, mut after) = (Instant::now(), None);
    loop {
        let attempts = retry.attempts();
        (options.on_attempt)(&AttemptStarted { number: attempts, after, elapsed: started.elapsed() });
        let (kind, last) = match attempt(sessions, options.mode, &mut work).await {
            Ended::Committed(value) => return Ok(Committed { value, attempts }),
            Ended::Over(error) => return Err(error),
            Ended::Again(kind, last) => (kind, last),
        };
        after = Some(kind);
        match retry.pause(kind) {
            Some(time) => C::Session::pause(time).await,
            None => return Err(TransactionError::Exhausted { attempts, kind, last }),
        }
    }
}

/// [`run`] on one connection, which comes back unless it was lost.
pub async fn run_on<S, T, E, F, Fut>(
    session: S,
    options: &TransactionOptions,
    work: F,
) -> (Option<S>, Result<Committed<T>, TransactionError<E>>)
where
    S: Session,
    F: FnMut(Handle<S>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut single = Single(Some(session));
    let result = run(&mut single, options, work).await;
    (single.0, result)
}

/// The one connection that the caller gave.
struct Single<S>(Option<S>);

impl<S: Session> Sessions for Single<S> {
    type Session = S;

    async fn open(&mut self) -> Result<S> {
        let lost = "the connection was lost, and the transaction runs on no other; nothing was applied";
        self.0.take().ok_or_else(|| Error::new(ErrorKind::ConnectionLost, lost))
    }

    fn give_back(&mut self, session: S) {
        self.0 = Some(session);
    }
}

async fn attempt<C, T, E, F, Fut>(sessions: &mut C, mode: TransactionMode, work: &mut F) -> Ended<T, E>
where
    C: Sessions,
    F: FnMut(Handle<C::Session>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut open = match sessions.open().await {
        Ok(session) => Open(Some(session)),
        Err(error) => return Ended::Over(TransactionError::Failed(error)),
    };
    *open.get().verdict() = Verdict::default();
    if let Err(error) = open.get().control(mode.begin(), Phase::Transaction).await {
        return again_or(error, TransactionError::Failed);
    }
    open.get().verdict().begin();
    let home = Arc::new(Home(Mutex::new(None)));
    let worked = work(Handle { session: Some(open.done()), home: Arc::clone(&home) }).await;
    let Some(session) = home.slot().take() else {
        let message = "the closure kept the transaction's handle: it must be dropped when the closure returns";
        return Ended::Over(TransactionError::Failed(Error::new(ErrorKind::Driver, message)));
    };
    let mut open = Open(Some(session));
    let ended = match (worked, std::mem::take(open.get().verdict()).end) {
        (Ok(value), None) => match open.get().control("COMMIT", Phase::Commit).await {
            Ok(()) => {
                sessions.give_back(open.done());
                return Ended::Committed(value);
            }
            Err(error) if error.outcome() == Outcome::Unknown => {
                return Ended::Over(TransactionError::Unknown(error));
            }
            // The closure cancelled a call, which it would do again.
            Err(error) if error.was_not_sent() => Ended::Over(TransactionError::Failed(error)),
            Err(error) => again_or(error, TransactionError::Failed),
        },
        (Err(error), None) => Ended::Over(TransactionError::Aborted(error)),
        // The closure knows what it met.
        (Err(error), Some(End::Stop(kind))) if kind != ErrorKind::TimedOut => {
            Ended::Over(TransactionError::Aborted(error))
        }
        (worked, Some(end)) => {
            let last = |kind| match worked {
                Ok(_) => LastFailure::Database(Error::refused("transaction", kind)),
                Err(error) => LastFailure::Closure(error),
            };
            match end {
                End::Retry(kind) => Ended::Again(kind, last(kind)),
                End::Stop(kind) => Ended::Over(TransactionError::Stopped { kind, last: last(kind) }),
                End::Ended => Ended::Over(TransactionError::Ended(last(ErrorKind::InvalidInput))),
            }
        }
    };
    // Where this fails, dropping the connection rolls back instead.
    if open.get().control("ROLLBACK", Phase::Transaction).await.is_ok() {
        sessions.give_back(open.done());
    }
    ended
}

fn again_or<T, E>(error: Error, otherwise: impl FnOnce(Error) -> TransactionError<E>) -> Ended<T, E> {
    match (error.outcome(), error.kind()) {
        (Outcome::Retryable, kind) if kind != ErrorKind::TimedOut => Ended::Again(kind, LastFailure::Database(error)),
        _ => Ended::Over(otherwise(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, future::ready, io, pin::pin};

    use futures_util::FutureExt;

    use super::*;

    type Answers = VecDeque<Option<Fault>>;

    /// A connection that answers `COMMIT` as its script says, and keeps what it was sent.
    #[derive(Debug, Default)]
    struct Scripted {
        verdict: Verdict,
        commits: Answers,
        sent: Vec<&'static str>,
    }

    impl Session for Scripted {
        async fn control(&mut self, statement: &'static str, phase: Phase) -> Result<()> {
            self.sent.push(statement);
            let answer = if statement == "COMMIT" { self.commits.pop_front().flatten() } else { None };
            let failed = |fault: Fault| {
                let cause: io::Error = match fault {
                    Fault::NotSent(why) => why.into(),
                    _ => io::Error::other("a cause"),
                };
                Error::operation("fake", "transaction", phase, fault, cause)
            };
            answer.map_or(Ok(()), |fault| Err(failed(fault)))
        }

        fn verdict(&mut self) -> &mut Verdict {
            &mut self.verdict
        }

        fn condemn(&mut self) {}

        async fn pause(_: Duration) {}
    }

    /// Connections that stay in the test's hands.
    struct Kept(Option<Scripted>);

    impl Sessions for Kept {
        type Session = Scripted;

        async fn open(&mut self) -> Result<Scripted> {
            Ok(self.0.take().unwrap_or_default())
        }

        fn give_back(&mut self, session: Scripted) {
            self.0 = Some(session);
        }
    }

    type Ended = Result<Committed<()>, TransactionError<&'static str>>;

    /// Runs a transaction whose statements meet `faults`, one an attempt, and says how often the closure ran.
    fn run_with(commits: Answers, faults: &[Fault], result: Result<(), &'static str>) -> (Ended, usize) {
        let (mut sessions, mut ran) = (Kept(Some(Scripted { commits, ..Scripted::default() })), 0);
        let work = |mut handle: Handle<Scripted>| {
            if let Some(fault) = faults.get(ran) {
                handle.session_mut().verdict().note(fault);
            }
            ran += 1;
            ready(result)
        };
        let ended = pin!(run(&mut sessions, &TransactionOptions::new(), work)).now_or_never();
        (ended.expect("nothing waits here"), ran)
    }

    fn server(code: u16, text: &str) -> Fault {
        Fault::Server(ServerError::new(code, "HY000", text))
    }

    #[test]
    fn a_commit_that_ends_in_an_io_error_is_unknown_and_not_repeated() {
        for number in 1..=255 {
            let fault = Fault::of(&io::Error::from_raw_os_error(number));
            let (ended, ran) = run_with([Some(fault)].into(), &[], Ok(()));
            assert!(matches!(ended, Err(TransactionError::Unknown(_))), "{number}: {ended:?}");
            assert_eq!(ran, 1, "{number}");
        }
    }

    #[test]
    fn a_commit_that_conflicts_is_retried() {
        let (ended, ran) = run_with([Some(server(9007, ""))].into(), &[], Ok(()));
        assert_eq!((ended.expect("committed").attempts, ran), (2, 2));
    }

    #[test]
    fn a_commit_that_was_not_sent_fails_and_applies_nothing() {
        let (ended, ran) = run_with([Some(Fault::NotSent(NotSent::Unusable))].into(), &[], Ok(()));
        let Err(TransactionError::Failed(error)) = ended else { panic!("{ended:?}") };
        assert_eq!((error.kind(), error.outcome(), ran), (ErrorKind::ConnectionLost, Outcome::Retryable, 1));
    }

    #[test]
    fn what_may_pass_is_retried_whatever_the_closure_returns() {
        for fault in [server(1213, ""), server(1205, ""), server(9003, ""), Fault::Lost, Fault::NoRoute] {
            for result in [Ok(()), Err("passed on")] {
                let (ended, ran) = run_with(Answers::new(), &vec![fault.clone(); 10], result);
                let Err(TransactionError::Exhausted { attempts: 10, .. }) = ended else {
                    panic!("{fault:?}: {ended:?}")
                };
                assert_eq!(ran, 10);
            }
        }
        let said =
            |fault: Fault| run_with(Answers::new(), &vec![fault; 10], Ok(())).0.expect_err("exhausted").to_string();
        assert!(said(server(1213, "")).contains("met a conflict"));
        assert!(said(Fault::Lost).contains("lost its connection"));
        assert!(said(server(9003, "")).contains("found the server busy"));
    }

    #[test]
    fn a_time_out_ends_the_transaction_at_once() {
        for result in [Ok(()), Err("passed on")] {
            let (ended, ran) = run_with(Answers::new(), &[Fault::TimedOut], result);
            let Err(error @ TransactionError::Stopped { kind: ErrorKind::TimedOut, .. }) = ended else {
                panic!("{ended:?}")
            };
            assert_eq!(ran, 1);
            assert_eq!(error.outcome(), Outcome::Retryable);
            assert!(error.to_string().contains("timed out"), "{error}");
        }
        let (ended, _) = run_with([Some(Fault::TimedOut)].into(), &[], Ok(()));
        assert!(matches!(ended, Err(TransactionError::Unknown(_))), "{ended:?}");
    }

    #[test]
    fn an_attempt_can_be_over_without_being_worth_another() {
        let lazy = server(8147, "… and an error occurred: [types:1264]Out of range value for column 'a'");
        for (fault, kind) in [
            (lazy, ErrorKind::OutOfRange),
            (server(1153, ""), ErrorKind::LimitExceeded),
            (Fault::Protocol, ErrorKind::Protocol),
        ] {
            let (ended, ran) = run_with(Answers::new(), &[fault], Ok(()));
            let Err(error @ TransactionError::Stopped { .. }) = ended else { panic!("{kind:?}: {ended:?}") };
            assert!(matches!(error, TransactionError::Stopped { kind: met, .. } if met == kind), "{error:?}");
            assert_eq!((error.outcome(), ran), (Outcome::Final, 1));
        }
        let (ended, _) = run_with(Answers::new(), &[server(1153, "")], Err("passed on"));
        assert!(matches!(ended, Err(TransactionError::Aborted("passed on"))), "{ended:?}");
    }

    #[test]
    fn a_statement_that_ended_the_transaction_is_never_said_to_be_rolled_back() {
        for result in [Ok(()), Err("passed on")] {
            let (ended, ran) = run_with(Answers::new(), &[Fault::TransactionEnded], result);
            let Err(error @ TransactionError::Ended(_)) = ended else { panic!("{ended:?}") };
            assert_eq!((error.outcome(), ran), (Outcome::Unknown, 1));
            assert!(error.to_string().contains("may be applied"), "{error}");
        }
    }

    #[test]
    fn a_closure_that_goes_on_after_a_refused_commit_is_not_committed() {
        let refused = [Fault::NotSent(NotSent::EndsTransaction)];
        let (ended, ran) = run_with(Answers::new(), &refused, Ok(()));
        let Err(error @ TransactionError::Stopped { kind: ErrorKind::InvalidInput, .. }) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!((error.outcome(), ran), (Outcome::Final, 1));
        assert!(error.to_string().contains("was not sent"), "{error}");
        let (ended, _) = run_with(Answers::new(), &refused, Err("passed on"));
        assert!(matches!(ended, Err(TransactionError::Aborted("passed on"))), "{ended:?}");
    }

    #[test]
    fn an_error_that_leaves_the_transaction_open_is_the_closures_own() {
        let (ended, _) = run_with(Answers::new(), &[server(1062, "")], Ok(()));
        assert_eq!(ended.expect("committed").attempts, 1);
        let (ended, _) = run_with(Answers::new(), &[server(1062, "")], Err("passed on"));
        assert!(matches!(ended, Err(TransactionError::Aborted("passed on"))), "{ended:?}");
    }

    #[test]
    fn after_what_ended_an_attempt_no_statement_is_sent() {
        let mut verdict = Verdict::default();
        verdict.note(&server(1213, ""));
        assert_eq!(verdict.check(), Ok(()), "no attempt is under way");
        verdict.begin();
        verdict.note(&server(1062, ""));
        assert_eq!(verdict.check(), Ok(()));
        verdict.note(&server(1213, ""));
        verdict.note(&Fault::TransactionEnded);
        assert_eq!(verdict.check(), Err(NotSent::AttemptOver(ErrorKind::Conflict)), "the first one stays");
    }
}
