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
    Error, ErrorKind, Fault, Outcome, Phase, Result, Retry, RetryPolicy,
    telemetry::{TARGET, record_failure},
};

/// How TiDB meets conflicts.
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
    /// Conflicts or lost connections ended every attempt that the policy allowed; nothing was applied.
    Exhausted {
        /// How many attempts there were.
        attempts: u32,
        /// What ended the last one.
        last: LastFailure<E>,
    },
    /// The server or the connection failed outside the closure; nothing was applied.
    Failed(Error),
    /// The connection was lost while `COMMIT` was on its way: it may have been applied. Look before you call again;
    /// a unique key written in the transaction is the surest thing to look for.
    Unknown(Error),
}

/// What ended the last attempt of an exhausted transaction.
#[derive(Debug)]
pub enum LastFailure<E> {
    /// The closure returned this, after a statement of its met a conflict.
    Closure(E),
    /// `BEGIN`, `COMMIT` or a statement whose error the closure did not pass on failed with this.
    Database(Error),
}

impl<E> TransactionError<E> {
    /// What holds for the data: unknown for [`Unknown`](Self::Unknown); else nothing was applied.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Aborted(_) => Outcome::Final,
            Self::Exhausted { .. } => Outcome::Retryable,
            Self::Failed(error) | Self::Unknown(error) => error.outcome(),
        }
    }
}

impl<E> fmt::Display for TransactionError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(_) => f.write_str("the transaction was rolled back because its closure failed"),
            Self::Exhausted { attempts, .. } => {
                write!(f, "the transaction met a conflict in each of {attempts} attempts; nothing was applied")
            }
            Self::Failed(_) => f.write_str("the transaction failed; nothing was applied"),
            Self::Unknown(_) => {
                f.write_str("whether the transaction was committed is unknown: look before trying again")
            }
        }
    }
}

impl<E: StdError + 'static> StdError for TransactionError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(match self {
            Self::Aborted(error) | Self::Exhausted { last: LastFailure::Closure(error), .. } => error,
            Self::Exhausted { last: LastFailure::Database(error), .. } | Self::Failed(error) | Self::Unknown(error) => {
                error
            }
        })
    }
}

/// What the statements of a connection have met, as far as it decides about the transaction around them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict(Option<ErrorKind>);

impl Verdict {
    /// Takes note of a statement's failure. One after which the transaction has to be made again stays, whatever the
    /// closure makes of it.
    pub fn note(&mut self, fault: &Fault) {
        if let (kind, Outcome::Retryable) = fault.classify(Phase::Transaction) {
            self.0.get_or_insert(kind);
        }
    }

    /// Refuses further statements once the server may have rolled back: they would be applied one by one.
    ///
    /// # Errors
    /// [`AttemptOver`].
    pub fn check(self) -> Result<(), AttemptOver> {
        self.0.map_or(Ok(()), |kind| Err(AttemptOver(kind)))
    }
}

/// A statement came after one that had ended the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptOver(ErrorKind);

impl fmt::Display for AttemptOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(kind) = self;
        write!(f, "an earlier statement ended this attempt of the transaction ({kind:?}): return, and it is made again")
    }
}

impl StdError for AttemptOver {}

impl From<AttemptOver> for std::io::Error {
    fn from(over: AttemptOver) -> Self {
        Self::other(over)
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
/// An attempt is made again, from `BEGIN` on, when a statement, `BEGIN` or `COMMIT` met a conflict, a busy server or a
/// lost connection before anything could be made permanent; whatever the closure then returned, since the server may
/// have rolled back already. Nothing is made again once a `COMMIT` has left without an answer.
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
    let (mut retry, mut after) = (options.retry.clone().start(), None);
    let result = make(sessions, options, &mut retry, &mut after, work).instrument(span.clone()).await;
    span.record("attempts", retry.attempts());
    match &result {
        Ok(_) => {
            span.record("outcome", "committed");
        }
        Err(error) => record_end(&span, error, after),
    }
    result
}

/// `after` is what ended the attempt before, or the last one of an exhausted transaction.
fn record_end<E>(span: &Span, error: &TransactionError<E>, after: Option<ErrorKind>) {
    let (outcome, kind, server) = match error {
        TransactionError::Aborted(_) => ("aborted", None, None),
        TransactionError::Exhausted { last: LastFailure::Closure(_), .. } => ("exhausted", after, None),
        TransactionError::Exhausted { last: LastFailure::Database(error), .. } => ("exhausted", after, error.server()),
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
    after: &mut Option<ErrorKind>,
    mut work: F,
) -> Result<Committed<T>, TransactionError<E>>
where
    C: Sessions,
    F: FnMut(Handle<C::Session>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let started = Instant::now();
    loop {
        let attempts = retry.attempts();
        (options.on_attempt)(&AttemptStarted { number: attempts, after: *after, elapsed: started.elapsed() });
        let (kind, last) = match attempt(sessions, options.mode, &mut work).await {
            Ended::Committed(value) => return Ok(Committed { value, attempts }),
            Ended::Over(error) => return Err(error),
            Ended::Again(kind, last) => (kind, last),
        };
        *after = Some(kind);
        match retry.pause(kind) {
            Some(time) => C::Session::pause(time).await,
            None => return Err(TransactionError::Exhausted { attempts, last }),
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
    let home = Arc::new(Home(Mutex::new(None)));
    let worked = work(Handle { session: Some(open.done()), home: Arc::clone(&home) }).await;
    let Some(session) = home.slot().take() else {
        let message = "the closure kept the transaction's handle: it must be dropped when the closure returns";
        return Ended::Over(TransactionError::Failed(Error::new(ErrorKind::Driver, message)));
    };
    let mut open = Open(Some(session));
    let Verdict(conflict) = std::mem::take(open.get().verdict());
    let ended = match (worked, conflict) {
        (Ok(value), None) => match open.get().control("COMMIT", Phase::Commit).await {
            Ok(()) => {
                sessions.give_back(open.done());
                return Ended::Committed(value);
            }
            Err(error) if error.outcome() == Outcome::Unknown => {
                return Ended::Over(TransactionError::Unknown(error));
            }
            Err(error) => again_or(error, TransactionError::Failed),
        },
        (Ok(_), Some(kind)) => Ended::Again(kind, LastFailure::Database(Error::refused("transaction", kind))),
        (Err(error), Some(kind)) => Ended::Again(kind, LastFailure::Closure(error)),
        (Err(error), None) => Ended::Over(TransactionError::Aborted(error)),
    };
    // Where this fails, dropping the connection rolls back instead.
    if open.get().control("ROLLBACK", Phase::Transaction).await.is_ok() {
        sessions.give_back(open.done());
    }
    ended
}

fn again_or<T, E>(error: Error, otherwise: impl FnOnce(Error) -> TransactionError<E>) -> Ended<T, E> {
    match error.outcome() {
        Outcome::Retryable => Ended::Again(error.kind(), LastFailure::Database(error)),
        _ => Ended::Over(otherwise(error)),
    }
}
