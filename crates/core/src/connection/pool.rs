//! One pool for every driver, and its rules.
//!
//! A driver crate implements [`Connector`] (open, probe, say goodbye) and puts its own clock around
//! [`Pool::acquire`] and [`Pool::close`], since one driver runs on tokio and another on the caller's thread.
//!
//! No task of its own runs: all that is done is done by the callers who wait for it, and ends when they give up.

use std::{
    fmt,
    future::{Future, poll_fn, ready},
    mem,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_util::future::{Either, join_all, select};
use tokio::{
    runtime,
    sync::{Notify, Semaphore, SemaphorePermit},
};
use tracing::debug;

use super::{ConnectionConfig, clock::Clock};
use crate::{
    Error, ErrorKind, Fault, NotSent, Outcome, Result, TransactionEnded,
    error::Connection as Left,
    statement::Effect,
    telemetry::{TARGET, milliseconds},
    transaction::Verdict,
};

/// The rules of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolPolicy {
    max_connections: usize,
    recycle: Duration,
    probe_after: Duration,
    acquire_timeout: Duration,
    reset: bool,
}

/// What has to happen to an idle connection before it is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checkout {
    /// Hand it out as it is.
    Use,
    /// Ask the server first (one round trip), since it may have closed the connection.
    Probe,
    /// Let the server forget what the session holds.
    Reset,
    /// Close it and open another.
    Replace,
}

impl Default for PoolPolicy {
    fn default() -> Self {
        Self {
            max_connections: 32,
            recycle: Duration::from_secs(300),
            probe_after: Duration::from_millis(500),
            acquire_timeout: Duration::from_secs(30),
            reset: false,
        }
    }
}

impl PoolPolicy {
    /// How many connections may be open at once; they are opened as callers need them. Default: 32.
    ///
    /// A connection to a database in a cloud waits for the network most of the time. With 5 ms added to a round trip, 32
    /// tasks read some 3 times as fast by 32 connections as by 10; with none added, as fast (`docs/performance.md`). TiDB
    /// Cloud Starter takes 400 connections, those of 12 such programs.
    #[must_use]
    pub fn with_max_connections(mut self, max: usize) -> Self {
        self.max_connections = max;
        self
    }

    /// The age from which a connection is no longer handed out.
    ///
    /// Default: 300 s, what TiDB Cloud's tutorials set as `pool_recycle`: Starter closes connections that idle for 340 s.
    #[must_use]
    pub fn with_recycle(mut self, age: Duration) -> Self {
        self.recycle = age;
        self
    }

    /// The idle time after which a connection is probed before it is handed out.
    ///
    /// Default: 500 ms, as in HikariCP (`aliveBypassWindowMs`). A connection that the server closed within this
    /// window is handed out, and the first statement on it fails with [`ErrorKind::ConnectionLost`].
    #[must_use]
    pub fn with_probe_after(mut self, idle: Duration) -> Self {
        self.probe_after = idle;
        self
    }

    /// How long a caller waits for a connection. Default: 30 s.
    #[must_use]
    pub fn with_acquire_timeout(mut self, limit: Duration) -> Self {
        self.acquire_timeout = limit;
        self
    }

    /// Whether each connection is reset before it is lent again, so that no session state of one caller reaches the next:
    /// variables, the current database, temporary tables, user locks. Default: no.
    ///
    /// Costs two round trips each time with `mysql` and `mysql_async` (`COM_RESET_CONNECTION`, and the `SET` that follows a
    /// login), and the connection's prepared statements, which are prepared again. `sqlx` cannot reset: there, each caller
    /// gets a new connection. What the pool keeps without a reset is listed in `docs/session-state.md`.
    #[must_use]
    pub fn with_reset(mut self, reset: bool) -> Self {
        self.reset = reset;
        self
    }

    /// Whether each connection is reset before it is lent again.
    #[must_use]
    pub fn reset(&self) -> bool {
        self.reset
    }

    /// How many connections may be open at once.
    #[must_use]
    pub fn max_connections(&self) -> usize {
        self.max_connections
    }

    /// The age from which a connection is no longer handed out.
    #[must_use]
    pub fn recycle(&self) -> Duration {
        self.recycle
    }

    /// The idle time after which a connection is probed before it is handed out.
    #[must_use]
    pub fn probe_after(&self) -> Duration {
        self.probe_after
    }

    /// How long a caller waits for a connection.
    #[must_use]
    pub fn acquire_timeout(&self) -> Duration {
        self.acquire_timeout
    }

    /// How long a probe may take before the connection counts as dead: a healthy server answers a ping at once. A third of
    /// the acquire limit at most, so that time is left to open another connection.
    #[must_use]
    pub fn probe_timeout(&self) -> Duration {
        (self.acquire_timeout / 3).min(Duration::from_secs(5))
    }

    /// What to do with a connection that was `opened` and `returned` then.
    fn checkout(&self, opened: Instant, returned: Instant, now: Instant) -> Checkout {
        // A sum, which costs a fraction of a difference; none lies beyond the end of time.
        let passed = |since: Instant, limit| since.checked_add(limit).is_some_and(|end| end <= now);
        if passed(opened, self.recycle) {
            Checkout::Replace
        } else if self.reset {
            Checkout::Reset
        } else if passed(returned, self.probe_after) {
            Checkout::Probe
        } else {
            Checkout::Use
        }
    }
}

/// How one driver opens, probes and ends a connection.
pub trait Connector: Sized + Send + Sync + 'static {
    /// The driver's connection.
    type Connection: Send + 'static;

    /// The driver's name, for errors.
    const DRIVER: &'static str;

    /// The configuration that connections are opened with.
    fn config(&self) -> &ConnectionConfig;

    /// Opens a connection, within [`ConnectionConfig::connect_timeout`].
    ///
    /// The future may be dropped half-way. What goes on after that keeps `place` until it has ended, so that no other
    /// connection is opened in its stead, and [leaves](Place::leave) to others what it has opened.
    ///
    /// # Errors
    /// What [`ConnectionConfig::connect_error`] makes of the driver's error.
    fn connect(&self, place: Place<Self>) -> impl Future<Output = Result<Self::Connection>> + Send;

    /// Whether the driver itself still holds the connection for usable.
    fn is_usable(&self, _connection: &Self::Connection) -> bool {
        true
    }

    /// Whether every row of an answer has been read that the driver began to hand out one by one at this time; `false` where
    /// the driver does not show it.
    fn has_read_all(&self, _connection: &Self::Connection, _since: Instant) -> bool {
        false
    }

    /// The runtime that a connection in use needs, where it needs one: on another it is probed first, since the one that it
    /// was used on may have ended.
    #[must_use]
    fn runtime() -> Option<runtime::Id> {
        runtime::Handle::try_current().ok().map(|handle| handle.id())
    }

    /// The connection, if the server still answers on it within [`PoolPolicy::probe_timeout`]; `place` is as in
    /// [`connect`](Self::connect).
    fn probe(
        &self,
        connection: Self::Connection,
        place: Place<Self>,
    ) -> impl Future<Output = Option<Self::Connection>> + Send;

    /// Whether the driver can [reset](Self::reset) a session.
    const RESETS: bool = false;

    /// The connection, once the server has reset its session, within [`PoolPolicy::probe_timeout`]; `place` is as in
    /// [`connect`](Self::connect).
    fn reset(
        &self,
        _connection: Self::Connection,
        _place: Place<Self>,
    ) -> impl Future<Output = Option<Self::Connection>> + Send {
        ready(None)
    }

    /// Closes the connection in the order of the protocol; failures do not matter.
    fn disconnect(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send;

    /// Closes a connection that is broken or out of step, without waiting for the server.
    fn discard(&self, connection: Self::Connection) {
        drop(connection);
    }

    /// [Discards](Self::discard) a connection on which rows may be on their way.
    fn abort(&self, connection: Self::Connection) {
        self.discard(connection);
    }
}

/// One of the [maximum](PoolPolicy::max_connections) of connections, shared with the claim that it was opened for: free again
/// when both are dropped.
pub struct Place<C: Connector>(Arc<Taken<C>>);

/// A place that somebody has.
struct Taken<C: Connector>(Arc<Shared<C>>);

impl<C: Connector> Drop for Taken<C> {
    fn drop(&mut self) {
        let queued = self.0.state().give_up_place();
        self.0.hand_on(queued);
    }
}

impl<C: Connector> Place<C> {
    fn new(pool: &Arc<Shared<C>>) -> Self {
        Self(Arc::new(Taken(Arc::clone(pool))))
    }

    fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Leaves a new `connection`, whose caller waits for it no longer, to others; gives it back where the pool has enough
    /// or is closed.
    #[must_use = "it is to be closed before the place is free"]
    pub fn leave(&self, connection: C::Connection) -> Option<C::Connection> {
        let shared = &self.0.0;
        let max = shared.connector.config().pool().max_connections;
        let mut state = shared.state();
        // The caller may have gone on with another connection in the same place, after a long login.
        if state.closed || state.idle.len() + state.claims >= max {
            return Some(connection);
        }
        state.idle.push(Slot::new(connection, C::runtime()));
        drop(state);
        shared.changed.notify_waiters();
        None
    }
}

impl<C: Connector> fmt::Debug for Place<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

/// Counters of a pool at one moment; all zero by default, for a store without one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// How many connections may be open.
    pub max: usize,
    /// How many are open or being opened.
    pub size: usize,
    /// How many of those wait for a caller.
    pub idle: usize,
    /// How many callers wait for a connection, be it for one that is being opened.
    pub waiting: usize,
}

/// A pool of `C`'s connections. Clones share the pool.
///
/// Callers are served in the order in which they came for a place among the maximum. Who has one takes the connection
/// that was used last, or opens one when none is idle; should one come back before that is open, and nobody wait for a
/// place, it takes that.
pub struct Pool<C: Connector>(Arc<Shared<C>>);

struct Shared<C: Connector> {
    connector: C,
    state: Mutex<State<C::Connection>>,
    /// Places that were given up while somebody was queued for one; served in the order of coming.
    handed_on: Semaphore,
    /// Tells of connections that came back, of places given up, and of the close.
    changed: Notify,
}

struct State<T> {
    /// In the order in which they came back: the last is the one most likely to be alive, and needs no probe.
    idle: Vec<Box<Slot<T>>>,
    /// Places that nobody has, nor waits for.
    free_places: usize,
    /// How many callers have come while no place was free, and have none yet.
    queued: usize,
    /// How many claims there are.
    claims: usize,
    /// How many connections are lent.
    in_use: usize,
    waiting: usize,
    closed: bool,
    /// When a probe last timed out: connections that have been idle since before are closed without a probe each, so that
    /// many black-holed ones cost one time-out together.
    black_holed: Option<Instant>,
    /// When a connection was last lost: those that have been idle since before are probed before their next use.
    suspected: Option<Instant>,
    /// The server accepted no further connection when it was last asked for one.
    server_full: bool,
}

impl<T> State<T> {
    /// Gives up a place; whether it is to be [handed on](Shared::hand_on) to somebody.
    fn give_up_place(&mut self) -> bool {
        self.free_places += usize::from(self.queued == 0);
        self.queued > 0
    }

    /// What has to happen to an idle connection before it is used on `runtime`; `None` when it is closed.
    fn checkout(&self, slot: &Slot<T>, policy: &PoolPolicy, runtime: Option<runtime::Id>) -> Option<Checkout> {
        let idle_since_before = |time: Option<Instant>| time.is_some_and(|time| slot.returned <= time);
        if idle_since_before(self.black_holed) {
            return None;
        }
        Some(match policy.checkout(slot.opened, slot.returned, Instant::now()) {
            Checkout::Use if idle_since_before(self.suspected) || slot.runtime != runtime => Checkout::Probe,
            checkout => checkout,
        })
    }
}

/// A connection with its history.
struct Slot<T> {
    connection: T,
    clock: Clock,
    opened: Instant,
    returned: Instant,
    /// What it was last used on.
    runtime: Option<runtime::Id>,
}

impl<T> Slot<T> {
    /// Boxed, since it is moved at every turn.
    fn new(connection: T, runtime: Option<runtime::Id>) -> Box<Self> {
        let now = Instant::now();
        Box::new(Self { connection, clock: Clock::default(), opened: now, returned: now, runtime })
    }
}

impl<C: Connector> Shared<C> {
    fn state(&self) -> MutexGuard<'_, State<C::Connection>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place that nobody waits for, if there is one.
    fn take_place(&self, state: &mut State<C::Connection>) -> Result<bool> {
        if state.closed {
            return Err(Error::closed());
        }
        if state.free_places > 0 {
            state.free_places -= 1;
            return Ok(true);
        }
        // Those who were queued may have gone before a place was handed on to them.
        Ok(self.handed_on.try_acquire().map(SemaphorePermit::forget).is_ok())
    }

    /// Hands a place on to who has waited longest, without the lock, since that wakes a task.
    fn hand_on(&self, queued: bool) {
        if queued {
            self.handed_on.add_permits(1);
        }
    }

    /// The next idle connection that can be handed out, after a probe where one is due.
    async fn take_idle(self: &Arc<Self>, place: &mut Option<Place<C>>) -> Result<Option<Box<Slot<C::Connection>>>> {
        loop {
            let (mut slot, checkout) = {
                let mut state = self.state();
                if state.closed {
                    return Err(Error::closed());
                }
                let Some(slot) = state.idle.pop() else { return Ok(None) };
                let checkout = state.checkout(&slot, self.connector.config().pool(), C::runtime());
                (slot, checkout)
            };
            match checkout {
                None => {
                    debug!(target: TARGET, probed = false, "connection found dead");
                    self.connector.discard(slot.connection);
                }
                Some(Checkout::Use) => return Ok(Some(slot)),
                Some(checkout @ (Checkout::Probe | Checkout::Reset)) => {
                    let (began, place) = (Instant::now(), self.share(place));
                    let answered = match checkout {
                        Checkout::Reset => Box::pin(self.connector.reset(slot.connection, place)).await,
                        _ => Box::pin(self.connector.probe(slot.connection, place)).await,
                    };
                    let Some(connection) = answered else {
                        self.found_dead(began);
                        continue;
                    };
                    (slot.connection, slot.runtime) = (connection, C::runtime());
                    return Ok(Some(slot));
                }
                Some(Checkout::Replace) => {
                    let age_ms = milliseconds(slot.opened.elapsed());
                    debug!(target: TARGET, age_ms, "connection recycled");
                    Box::pin(self.connector.disconnect(slot.connection)).await;
                }
            }
        }
    }

    /// Takes note of a probe that began then and failed. One that timed out speaks for all others that are idle, one that
    /// failed at once for itself only.
    fn found_dead(&self, began: Instant) {
        let now = Instant::now();
        let timed_out = now.duration_since(began) >= self.connector.config().pool().probe_timeout();
        let mut state = self.state();
        *(if timed_out { &mut state.black_holed } else { &mut state.suspected }) = Some(now);
        drop(state);
        debug!(target: TARGET, probed = true, "connection found dead");
    }

    /// The claim's own place, to go on with after the claim has been given up.
    fn share(self: &Arc<Self>, place: &mut Option<Place<C>>) -> Place<C> {
        place.get_or_insert_with(|| Place::new(self)).share()
    }

    async fn open(&self, place: Place<C>) -> Result<Box<Slot<C::Connection>>> {
        let started = Instant::now();
        let connected = self.connector.connect(place).await;
        self.state().server_full = connected
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::TooManyConnections && error.outcome() == Outcome::Retryable);
        let connection = connected?;
        debug!(target: TARGET, took_ms = milliseconds(started.elapsed()), "connection opened");
        Ok(Slot::new(connection, C::runtime()))
    }

    /// Whether the server accepts no further connection while others of this pool are in use, which will come back.
    fn waits_for_its_own(&self) -> bool {
        let state = self.state();
        state.server_full && state.in_use > 0 && !state.closed
    }

    /// An idle connection, or a new one, whichever can be had first.
    ///
    /// A login may go on after the caller has taken a connection that came back, so that takes a second place. While others
    /// wait for one, the connection is theirs: they would begin a login of their own where the caller's is half done. It
    /// is the caller's all the same once the login takes longer than a healthy one.
    async fn take_or_open(self: &Arc<Self>, place: &mut Option<Place<C>>) -> Result<Box<Slot<C::Connection>>> {
        let healthy = self.connector.config().pool().probe_timeout();
        let mut opening: Option<(Instant, _)> = None;
        loop {
            // Listen before looking: a connection that comes back in between is not missed.
            let changed = pin!(self.changed.notified());
            let beside_a_login = opening.as_ref().is_some_and(|(began, _)| began.elapsed() < healthy);
            if !beside_a_login {
                if let Some(slot) = self.take_idle(place).await? {
                    return Ok(slot);
                }
            } else if self.take_place(&mut self.state())? {
                let mut second = Some(Place::new(self));
                if let Some(slot) = self.take_idle(&mut second).await? {
                    *place = second;
                    return Ok(slot);
                }
            }
            // Boxed, since every caller's future would otherwise carry the whole login (measured: 5.6 times the
            // instructions).
            let (_, under_way) =
                opening.get_or_insert_with(|| (Instant::now(), Box::pin(self.open(self.share(place)))));
            match select(under_way, changed).await {
                Either::Left((Err(_), changed)) if self.waits_for_its_own() => {
                    opening = None;
                    changed.await;
                }
                Either::Left((opened, _)) => return opened,
                Either::Right(_) => {}
            }
        }
    }
}

impl<C: Connector> Pool<C> {
    /// An empty pool; connections are opened when they are asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when [`ConnectionConfig::validate`] finds something wrong.
    pub fn new(connector: C) -> Result<Self> {
        connector.config().validate()?;
        let free_places = connector.config().pool().max_connections;
        Ok(Self(Arc::new(Shared {
            connector,
            state: Mutex::new(State {
                idle: Vec::new(),
                free_places,
                queued: 0,
                claims: 0,
                in_use: 0,
                waiting: 0,
                closed: false,
                black_holed: None,
                suspected: None,
                server_full: false,
            }),
            handed_on: Semaphore::new(0),
            changed: Notify::new(),
        })))
    }

    /// The connector.
    #[must_use]
    pub fn connector(&self) -> &C {
        &self.0.connector
    }

    /// Takes a connection, opening one when none is idle and the maximum allows it.
    ///
    /// Waits without a limit: the driver crate puts [`PoolPolicy::acquire_timeout`] around it and reports
    /// [`acquire_timed_out`](Self::acquire_timed_out). Dropping the future leaves nothing behind.
    ///
    /// # Errors
    /// At once, with the cause, when a connection cannot be opened; [`ErrorKind::Closed`] after [`close`](Self::close).
    pub async fn acquire(&self) -> Result<Lease<C>> {
        self.claim().await?.connect().await
    }

    /// [`acquire`](Self::acquire) where that takes neither a wait nor the server: there is a free place, and the
    /// connection that was used last needs no probe. The driver crate needs no clock for it.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Lease<C>> {
        let mut state = self.0.state();
        let last = state.idle.last()?;
        if state.checkout(last, self.connector().config().pool(), C::runtime()) != Some(Checkout::Use)
            || !self.0.take_place(&mut state).ok()?
        {
            return None;
        }
        let slot = state.idle.pop();
        state.claims += 1;
        state.in_use += 1;
        drop(state);
        let claim = Claim { pool: self.clone(), slot, waiting: None, place: None };
        Some(Lease { claim, standing: Standing::default() })
    }

    /// The first half of [`acquire`](Self::acquire): waits for a place among the maximum, without asking the server.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] after [`close`](Self::close).
    pub async fn claim(&self) -> Result<Claim<C>> {
        let waiting = Waiting::new(self.clone());
        if let Some(_queued) = Queued::unless_free(&self.0)? {
            self.0.handed_on.acquire().await.map_err(|_| Error::closed())?.forget();
        }
        self.0.state().claims += 1;
        Ok(Claim { pool: self.clone(), slot: None, waiting: Some(Box::new(waiting)), place: None })
    }

    /// The error for a caller whose [`acquire_timeout`](PoolPolicy::acquire_timeout) has passed.
    #[must_use]
    pub fn acquire_timed_out(&self) -> Error {
        let config = self.connector().config();
        let (in_use, server_full) = {
            let state = self.0.state();
            (state.in_use, state.server_full)
        };
        let PoolPolicy { max_connections, acquire_timeout, .. } = config.pool();
        if server_full {
            let message = format!(
                "the server accepts no further connection, and all {in_use} of this pool stayed in use for {} s: return \
                 them sooner, close others, or raise the server's limit",
                acquire_timeout.as_secs_f32()
            );
            return Error::new(ErrorKind::TooManyConnections, message).with_driver(C::DRIVER);
        }
        if in_use < *max_connections {
            return config.connect_timed_out(C::DRIVER);
        }
        Error::new(
            ErrorKind::PoolExhausted,
            format!(
                "all {in_use} connections of the pool stayed in use for {} s: return them sooner, or raise its maximum",
                acquire_timeout.as_secs_f32()
            ),
        )
        .with_driver(C::DRIVER)
    }

    /// Counters of this moment.
    #[must_use]
    pub fn status(&self) -> PoolStatus {
        let (state, max) = (self.0.state(), self.connector().config().pool().max_connections);
        PoolStatus {
            max,
            // A claim that is about to take an idle connection counts beside it for a moment.
            size: (state.idle.len() + state.claims).min(max),
            idle: state.idle.len(),
            waiting: state.waiting,
        }
    }

    /// Refuses new callers and those who wait, tells idle connections goodbye, then waits for those in use and does the
    /// same for them.
    ///
    /// Waits without a limit: the driver crate puts one around it. Calling it again waits again. A connection that comes
    /// back when nobody waits here any more is closed with the pool.
    pub async fn close(&self) {
        self.0.state().closed = true;
        self.0.handed_on.close();
        self.0.changed.notify_waiters();
        loop {
            // Listen before looking: a connection that comes back in between is not missed.
            let changed = self.0.changed.notified();
            let (idle, claims) = {
                let mut state = self.0.state();
                (mem::take(&mut state.idle), state.claims)
            };
            join_all(idle.into_iter().map(|slot| self.connector().disconnect(slot.connection))).await;
            if claims == 0 {
                return;
            }
            changed.await;
        }
    }

    /// The error for a [`close`](Self::close) that was not done within its limit.
    #[must_use]
    pub fn close_timed_out(&self) -> Error {
        let in_use = self.0.state().in_use;
        let message = format!("the pool is closed, but {in_use} of its connections are still in use");
        Error::new(ErrorKind::TimedOut, message).with_driver(C::DRIVER)
    }
}

impl<C: Connector> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Connector> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", self.connector().config()).field("status", &self.status()).finish()
    }
}

/// A caller without a connection, counted.
struct Waiting<C: Connector> {
    pool: Pool<C>,
    since: Instant,
    served: bool,
}

impl<C: Connector> Waiting<C> {
    fn new(pool: Pool<C>) -> Self {
        pool.0.state().waiting += 1;
        Self { pool, since: Instant::now(), served: false }
    }
}

impl<C: Connector> Drop for Waiting<C> {
    fn drop(&mut self) {
        if !self.served {
            self.pool.0.state().waiting -= 1;
        }
        let Self { since, served, .. } = self;
        debug!(target: TARGET, waited_ms = milliseconds(since.elapsed()), served, "waited for a connection");
    }
}

/// A caller without a place, counted.
struct Queued<'a, C: Connector>(&'a Shared<C>);

impl<'a, C: Connector> Queued<'a, C> {
    /// `None` with a place, where one is free.
    fn unless_free(shared: &'a Shared<C>) -> Result<Option<Self>> {
        let mut state = shared.state();
        if shared.take_place(&mut state)? {
            return Ok(None);
        }
        state.queued += 1;
        Ok(Some(Self(shared)))
    }
}

impl<C: Connector> Drop for Queued<'_, C> {
    fn drop(&mut self) {
        self.0.state().queued -= 1;
    }
}

/// A place in the pool, for a connection. Dropping it gives it up.
pub struct Claim<C: Connector> {
    pool: Pool<C>,
    /// The connection, while it is lent.
    slot: Option<Box<Slot<C::Connection>>>,
    /// Until there is one; boxed, since a loan is moved at every turn.
    waiting: Option<Box<Waiting<C>>>,
    /// Once it is shared; until then the claim itself is the place.
    place: Option<Place<C>>,
}

impl<C: Connector> Claim<C> {
    /// The second half of [`Pool::acquire`]: takes an idle connection, or opens one.
    ///
    /// # Errors
    /// As there.
    pub async fn connect(mut self) -> Result<Lease<C>> {
        let slot = self.pool.0.take_or_open(&mut self.place).await?;
        self.lend(slot)?;
        self.waiting = None;
        Ok(Lease { claim: self, standing: Standing::default() })
    }

    fn lend(&mut self, slot: Box<Slot<C::Connection>>) -> Result<()> {
        let mut state = self.pool.0.state();
        if state.closed {
            // To be told goodbye with the idle ones.
            state.idle.push(slot);
            return Err(Error::closed());
        }
        state.in_use += 1;
        if let Some(waiting) = &mut self.waiting {
            state.waiting -= 1;
            waiting.served = true;
        }
        self.slot = Some(slot);
        Ok(())
    }

    /// Ends the loan of a connection that is broken or out of step.
    fn discard(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.pool.connector().abort(slot.connection);
            self.pool.0.state().in_use -= 1;
        }
    }
}

impl<C: Connector> Drop for Claim<C> {
    fn drop(&mut self) {
        let mut state = self.pool.0.state();
        state.claims -= 1;
        // Who listens is counted, or closes the pool, before it looks at what is there.
        let heard = state.waiting > 0 || state.closed;
        if let Some(mut slot) = self.slot.take() {
            slot.returned = Instant::now();
            state.in_use -= 1;
            state.idle.push(slot);
        }
        let shared = self.place.take();
        let queued = shared.is_none() && state.give_up_place();
        drop(state);
        // Before anybody is told, since the connection can be taken only with a place.
        self.pool.0.hand_on(queued);
        drop(shared);
        if heard {
            self.pool.0.changed.notify_waiters();
        }
    }
}

impl<C: Connector> fmt::Debug for Claim<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

/// A connection on loan from a [`Pool`], which it returns to when dropped.
///
/// Every use goes through [`call`](Self::call). The connection is closed instead of returned when its last call was not
/// [settled](Call::settle), because its future was dropped or the connection broke; when a transaction is open on it, or it
/// no longer commits each statement; and when rows may be left unread.
pub struct Lease<C: Connector> {
    claim: Claim<C>,
    standing: Standing,
}

/// What the calls on a loan have left behind.
#[derive(Default)]
struct Standing {
    /// A call is under way, or has broken the connection.
    in_flight: bool,
    /// Since when the driver hands out the rows of the last answer one by one.
    rows_since: Option<Instant>,
    /// A transaction is open that the caller began by a statement.
    open: bool,
    /// The session no longer commits each statement by itself, or holds locks on tables.
    unsettled: bool,
    verdict: Verdict,
}

impl<C: Connector> Lease<C> {
    /// The connection, and the mark that a call is under way on it.
    ///
    /// # Errors
    /// [`NotSent`] when an earlier call on this loan was not settled, or ended the attempt of the transaction around it.
    pub fn call(&mut self) -> Result<(&mut C::Connection, Call<'_, C>), NotSent> {
        self.standing.verdict.check()?;
        if mem::replace(&mut self.standing.in_flight, true) {
            return Err(NotSent::Unusable);
        }
        let Slot { connection, clock, .. } = &mut **self.claim.slot.as_mut().expect("present until drop");
        clock.stop();
        let call =
            Call { standing: &mut self.standing, commits: false, rows: false, clock, shared: &self.claim.pool.0 };
        Ok((connection, call))
    }

    /// The connection, to be looked at.
    #[must_use]
    pub fn connection(&self) -> &C::Connection {
        &self.claim.slot.as_ref().expect("present until drop").connection
    }

    /// What the statements of this loan have met, for the transaction around them.
    pub fn verdict(&mut self) -> &mut Verdict {
        &mut self.standing.verdict
    }

    /// Keeps the connection from being used again.
    pub fn condemn(&mut self) {
        self.standing.in_flight = true;
    }

    fn is_in_step(&self) -> bool {
        let Standing { in_flight, rows_since, open, unsettled, .. } = &self.standing;
        let (connector, connection) = (self.claim.pool.connector(), self.connection());
        !(*in_flight || *open || *unsettled)
            && (C::RESETS || !connector.config().pool().reset)
            && connector.is_usable(connection)
            && rows_since.is_none_or(|since| connector.has_read_all(connection, since))
    }
}

/// A call under way; dropping it unsettled condemns the connection.
pub struct Call<'a, C: Connector> {
    standing: &'a mut Standing,
    /// Whether success means that no transaction is open any more.
    commits: bool,
    /// Whether the driver hands out the rows of the answer one by one, after the call.
    rows: bool,
    clock: &'a mut Clock,
    shared: &'a Shared<C>,
}

impl<C: Connector> Call<'_, C> {
    /// The call is about to prepare `text`, or the driver shows the server's status after it: the first words of its
    /// statements tell what it will do to a transaction.
    ///
    /// # Errors
    /// [`NotSent::EndsTransaction`] within [`transaction`](crate::transaction).
    pub fn prepares(&mut self, text: &str) -> Result<(), NotSent> {
        self.meets(Effect::of(text))
    }

    /// The call is about to run `text`, as in [`prepares`](Self::prepares), for a driver that does not show the server's
    /// status.
    ///
    /// # Errors
    /// As there.
    pub fn runs(&mut self, text: &str) -> Result<(), NotSent> {
        let effect = Effect::of(text);
        self.commits = effect.ends && !effect.opens;
        self.meets(effect)
    }

    fn meets(&mut self, Effect { ends, opens, lasts }: Effect) -> Result<(), NotSent> {
        if ends && self.standing.verdict.is_under_way() {
            return Err(NotSent::EndsTransaction);
        }
        self.standing.open |= opens;
        self.standing.unsettled |= lasts;
        Ok(())
    }

    /// The server's status, as the driver shows it after an answer.
    ///
    /// # Errors
    /// [`TransactionEnded`] when the statement ended the [`transaction`](crate::transaction) around it.
    pub fn saw(&mut self, in_transaction: bool, autocommit: bool) -> Result<(), TransactionEnded> {
        self.standing.open = in_transaction;
        // What a statement's first words told, such as `LOCK TABLES`, no status shows.
        self.standing.unsettled |= !autocommit;
        if self.standing.verdict.is_under_way() && !in_transaction { Err(TransactionEnded) } else { Ok(()) }
    }

    /// The driver is about to hand out rows one by one, after the call.
    ///
    /// # Errors
    /// [`NotSent::UnseenRows`] within [`transaction`](crate::transaction), which would not see an error among them.
    pub fn hands_out_rows(&mut self) -> Result<(), NotSent> {
        if self.standing.verdict.is_under_way() {
            return Err(NotSent::UnseenRows);
        }
        self.rows = true;
        Ok(())
    }

    /// Waits for the server's `answer`; `None` when that takes longer than [`ConnectionConfig::operation_timeout`], counted
    /// from the last time that `progress` was set, which this clears.
    ///
    /// On tokio's clock, as all that has to do with time here; a driver that blocks limits its socket instead.
    pub async fn within<F: Future>(&mut self, progress: &AtomicBool, answer: F) -> Option<F::Output> {
        let mut answer = pin!(answer);
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                if progress.swap(false, Ordering::Relaxed) {
                    self.answered();
                }
                self.poll_timed_out(cx).map(|()| None)
            }
        })
        .await
    }

    /// Whether the time-out has passed since this was first asked, in this call or since the last
    /// [`answered`](Self::answered).
    pub fn poll_timed_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.clock.poll_passed(self.shared.connector.config().operation_timeout(), cx)
    }

    /// The server has sent part of its answer, and has as long again for the next.
    pub fn answered(&mut self) {
        self.clock.stop();
    }

    /// The call is over. After the server's answer, its error included, the connection can be used again, unless the server
    /// closes it; after any other fault it cannot, and where that may have hit others, those are probed before their next use.
    pub fn settle(self, fault: Option<&Fault>) {
        let Self { standing, commits, rows, shared, .. } = self;
        let left = fault.map_or(Left::InStep, |fault| {
            standing.verdict.note(fault);
            fault.leaves()
        });
        match left {
            Left::InStep => {
                standing.in_flight = false;
                standing.open &= !(commits && fault.is_none());
                standing.rows_since = (rows && fault.is_none()).then(Instant::now);
            }
            Left::Broken => {}
            Left::Lost => shared.state().suspected = Some(Instant::now()),
        }
    }
}

impl<C: Connector> fmt::Debug for Call<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

impl<C: Connector> Drop for Lease<C> {
    fn drop(&mut self) {
        if !self.is_in_step() {
            self.claim.discard();
        }
    }
}

impl<C: Connector> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("in_flight", &self.standing.in_flight).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt as _;

    use super::*;

    /// Opens one connection; the login of any other never ends.
    struct One(ConnectionConfig, Mutex<bool>);

    impl Connector for One {
        type Connection = ();

        const DRIVER: &'static str = "one";

        fn config(&self) -> &ConnectionConfig {
            &self.0
        }

        async fn connect(&self, _: Place<Self>) -> Result<()> {
            if mem::replace(&mut *self.1.lock().unwrap(), true) { pending().await } else { Ok(()) }
        }

        fn probe(&self, (): (), _: Place<Self>) -> impl Future<Output = Option<()>> {
            ready(Some(()))
        }

        fn disconnect(&self, (): ()) -> impl Future<Output = ()> {
            ready(())
        }
    }

    #[test]
    fn a_place_handed_on_to_somebody_who_has_gone_is_free() {
        let config = ConnectionConfig::new().with_pool(PoolPolicy::default().with_max_connections(2));
        let pool = Pool::new(One(config, Mutex::new(false))).unwrap();
        let lease = pool.acquire().now_or_never().unwrap().unwrap();
        let mut opener = pin!(pool.acquire());
        assert!(opener.as_mut().now_or_never().is_none());
        {
            let mut queued = pin!(pool.claim());
            assert!(queued.as_mut().now_or_never().is_none());
            drop(lease);
        }
        // Beside its login, it takes the connection only with a place of its own.
        assert!(opener.now_or_never().is_some());
    }

    #[test]
    fn a_connection_is_probed_after_idling_and_replaced_when_old() {
        let (policy, opened) = (PoolPolicy::default(), Instant::now());
        let checkout = |age: u64, idle: u64| {
            let now = opened + Duration::from_millis(age);
            policy.checkout(opened, now - Duration::from_millis(idle), now)
        };
        assert_eq!(checkout(299_999, 499), Checkout::Use);
        assert_eq!(checkout(299_999, 500), Checkout::Probe);
        assert_eq!(checkout(300_000, 0), Checkout::Replace);
        let never = policy.clone().with_recycle(Duration::MAX).with_probe_after(Duration::MAX);
        assert_eq!(never.checkout(opened, opened, opened + Duration::from_secs(1 << 30)), Checkout::Use);
    }
}
