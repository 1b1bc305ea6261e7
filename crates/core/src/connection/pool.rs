//! One pool for every driver: [`deadpool`] underneath, the rules here.
//!
//! A driver crate implements [`Connector`] (open, probe, say goodbye) and puts its own clock around
//! [`Pool::acquire`] and [`Pool::close`], since one driver runs on tokio and another on the caller's thread.

use std::{
    fmt,
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool::managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult};
use tokio::sync::Notify;

use super::ConnectionConfig;
use crate::{Error, ErrorKind, Result};

/// The rules of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolPolicy {
    max_connections: usize,
    recycle: Duration,
    probe_after: Duration,
    acquire_timeout: Duration,
}

/// What has to happen to an idle connection before it is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// Hand it out as it is.
    Use,
    /// Ask the server first (one round trip), since it may have closed the connection.
    Probe,
    /// Close it and open another.
    Replace,
}

impl Default for PoolPolicy {
    fn default() -> Self {
        Self {
            max_connections: 10,
            recycle: Duration::from_secs(300),
            probe_after: Duration::from_millis(500),
            acquire_timeout: Duration::from_secs(30),
        }
    }
}

impl PoolPolicy {
    /// How many connections may be open at once. Default: 10.
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

    /// How long a probe may take before the connection counts as dead: a healthy server answers a ping at once.
    #[must_use]
    pub fn probe_timeout(&self) -> Duration {
        self.acquire_timeout.min(Duration::from_secs(5))
    }

    /// What to do with a connection of this `age` that has been idle for `idle`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidb_connect_core::pool::{Checkout, PoolPolicy};
    ///
    /// let policy = PoolPolicy::default();
    /// let (ms, s) = (Duration::from_millis, Duration::from_secs);
    /// assert_eq!(policy.checkout(s(20), ms(3)), Checkout::Use);
    /// assert_eq!(policy.checkout(s(20), s(9)), Checkout::Probe);
    /// assert_eq!(policy.checkout(s(300), ms(3)), Checkout::Replace);
    /// ```
    #[must_use]
    pub fn checkout(&self, age: Duration, idle: Duration) -> Checkout {
        if age >= self.recycle {
            Checkout::Replace
        } else if idle > self.probe_after {
            Checkout::Probe
        } else {
            Checkout::Use
        }
    }
}

/// How one driver opens, probes and ends a connection.
pub trait Connector: Send + Sync + 'static {
    /// The driver's connection.
    type Connection: Send + 'static;

    /// The driver's name, for errors.
    const DRIVER: &'static str;

    /// The configuration that connections are opened with.
    fn config(&self) -> &ConnectionConfig;

    /// Opens a connection, within [`ConnectionConfig::connect_timeout`].
    ///
    /// # Errors
    /// What [`ConnectionConfig::connect_error`] makes of the driver's error.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection>> + Send;

    /// Whether the driver itself still holds the connection for usable.
    fn is_usable(&self, _connection: &Self::Connection) -> bool {
        true
    }

    /// Whether the server still answers, within [`PoolPolicy::probe_timeout`].
    fn probe(&self, connection: &mut Self::Connection) -> impl Future<Output = bool> + Send;

    /// Tells the server goodbye; failures do not matter.
    fn disconnect(&self, connection: Self::Connection) -> impl Future<Output = ()> + Send;
}

/// Counters of a pool at one moment; all zero by default, for a store without one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// How many connections may be open.
    pub max: usize,
    /// How many are open.
    pub size: usize,
    /// How many of those wait for a caller.
    pub idle: usize,
    /// How many callers wait for a connection.
    pub waiting: usize,
}

/// A pool of `C`'s connections. Clones share the pool.
pub struct Pool<C: Connector>(managed::Pool<Manager<C>>);

/// The rules, where deadpool asks for them.
struct Manager<C: Connector> {
    connector: C,
    /// When a connection was last found dead: those that have been idle since before are given up without a probe each,
    /// so that many black-holed ones cost one probe time-out together.
    found_dead: Mutex<Option<Instant>>,
    in_use: AtomicUsize,
    closing: AtomicBool,
    /// Connections that came back after [`Pool::close`] and have not been told goodbye yet.
    leaving: Mutex<Vec<C::Connection>>,
    returned: Notify,
}

/// A connection with the moment it last came back.
struct Slot<T> {
    connection: T,
    returned: Instant,
}

impl<C: Connector> managed::Manager for Manager<C> {
    type Type = Slot<C::Connection>;
    type Error = Error;

    async fn create(&self) -> Result<Self::Type> {
        // Boxed, since every caller's future would otherwise carry the whole login (measured: 5.6 times the instructions).
        let connection = Box::pin(self.connector.connect()).await?;
        Ok(Slot { connection, returned: Instant::now() })
    }

    async fn recycle(&self, slot: &mut Self::Type, metrics: &Metrics) -> RecycleResult<Error> {
        let suspect = self.found_dead().is_some_and(|found| slot.returned <= found);
        let checkout = self.connector.config().pool().checkout(metrics.age(), slot.returned.elapsed());
        match checkout {
            Checkout::Use if !suspect => Ok(()),
            Checkout::Probe if !suspect => {
                if self.connector.probe(&mut slot.connection).await {
                    return Ok(());
                }
                self.mark_dead();
                Err(RecycleError::message("the server no longer answers on it"))
            }
            _ => Err(RecycleError::message("too old, or idle since before another was found dead")),
        }
    }
}

impl<C: Connector> Manager<C> {
    fn found_dead(&self) -> Option<Instant> {
        *self.found_dead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark_dead(&self) {
        *self.found_dead.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn leaving(&self) -> Vec<C::Connection> {
        std::mem::take(&mut *self.leaving.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<C: Connector> Pool<C> {
    /// An empty pool; connections are opened when they are asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when [`ConnectionConfig::validate`] finds something wrong.
    pub fn new(connector: C) -> Result<Self> {
        connector.config().validate()?;
        let max = connector.config().pool().max_connections;
        let manager = Manager {
            connector,
            found_dead: Mutex::new(None),
            in_use: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            leaving: Mutex::new(Vec::new()),
            returned: Notify::new(),
        };
        // The connection used last is the one most likely to be alive, and needs no probe.
        let pool = managed::Pool::builder(manager).max_size(max).queue_mode(QueueMode::Lifo).build();
        Ok(Self(pool.map_err(|cause| Error::new(ErrorKind::Config, "the pool cannot be built").with_source(cause))?))
    }

    fn manager(&self) -> &Manager<C> {
        self.0.manager()
    }

    /// The connector.
    #[must_use]
    pub fn connector(&self) -> &C {
        &self.manager().connector
    }

    /// Takes a connection, opening one when none is idle and the maximum allows it.
    ///
    /// Waits without a limit: the driver crate puts [`PoolPolicy::acquire_timeout`] around it and reports
    /// [`acquire_timed_out`](Self::acquire_timed_out). Dropping the future leaves nothing behind.
    ///
    /// # Errors
    /// At once, with the cause, when a connection cannot be opened; [`ErrorKind::Closed`] after [`close`](Self::close).
    pub async fn acquire(&self) -> Result<Lease<C>> {
        let object = self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => Error::closed(),
            other => Error::new(ErrorKind::Driver, "the pool failed").with_source(other),
        })?;
        self.manager().in_use.fetch_add(1, Ordering::SeqCst);
        Ok(Lease { object: Some(object), pool: self.clone(), in_flight: false })
    }

    /// The error for a caller whose [`acquire_timeout`](PoolPolicy::acquire_timeout) has passed.
    #[must_use]
    pub fn acquire_timed_out(&self) -> Error {
        let (config, in_use) = (self.connector().config(), self.manager().in_use.load(Ordering::SeqCst));
        let PoolPolicy { max_connections, acquire_timeout, .. } = config.pool();
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
        let status = self.0.status();
        PoolStatus {
            max: self.connector().config().pool().max_connections,
            size: status.size,
            idle: status.size.saturating_sub(self.manager().in_use.load(Ordering::SeqCst)),
            waiting: status.waiting,
        }
    }

    /// Refuses new callers, tells idle connections goodbye, then waits for those in use and does the same for them.
    ///
    /// Waits without a limit: the driver crate puts one around it. Calling it again waits again.
    pub async fn close(&self) {
        let manager = self.manager();
        manager.closing.store(true, Ordering::SeqCst);
        let idle = self.0.retain(|_, _| false).removed.into_iter().map(|slot| slot.connection);
        self.0.close();
        for connection in idle {
            manager.connector.disconnect(connection).await;
        }
        loop {
            // Listen before looking: a connection that comes back in between is not missed.
            let returned = manager.returned.notified();
            for connection in manager.leaving() {
                manager.connector.disconnect(connection).await;
            }
            if manager.in_use.load(Ordering::SeqCst) == 0 {
                return;
            }
            returned.await;
        }
    }

    /// The error for a [`close`](Self::close) that was not done within its limit.
    #[must_use]
    pub fn close_timed_out(&self) -> Error {
        let in_use = self.manager().in_use.load(Ordering::SeqCst);
        let message = format!("the pool is closed, but {in_use} of its connections are still in use");
        Error::new(ErrorKind::TimedOut, message).with_driver(C::DRIVER)
    }
}

impl<C: Connector> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Connector> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", self.connector().config()).field("status", &self.status()).finish()
    }
}

/// A connection on loan from a [`Pool`], which it returns to when dropped.
///
/// Every use goes through [`call`](Self::call). A connection whose last call was not [finished](Call::finish), because
/// its future was dropped or the connection broke, is closed instead of returned.
pub struct Lease<C: Connector> {
    /// Present until drop.
    object: Option<Object<Manager<C>>>,
    pool: Pool<C>,
    in_flight: bool,
}

impl<C: Connector> Lease<C> {
    /// The connection, and the mark that a call is under way on it.
    ///
    /// # Errors
    /// [`Unusable`] when an earlier call on this loan was not finished.
    pub fn call(&mut self) -> Result<(&mut C::Connection, Call<'_, C>), Unusable> {
        if std::mem::replace(&mut self.in_flight, true) {
            return Err(Unusable);
        }
        let slot = self.object.as_mut().expect("present until drop");
        Ok((&mut slot.connection, Call { in_flight: &mut self.in_flight, manager: self.pool.manager() }))
    }

    /// The connection, to be looked at.
    #[must_use]
    pub fn connection(&self) -> &C::Connection {
        &self.object.as_ref().expect("present until drop").connection
    }
}

/// An earlier call on the connection was given up half-way, or broke it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable;

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an earlier call on this connection was given up or broke it: take another from the pool")
    }
}

impl std::error::Error for Unusable {}

impl From<Unusable> for std::io::Error {
    fn from(unusable: Unusable) -> Self {
        Self::new(std::io::ErrorKind::NotConnected, unusable)
    }
}

/// A call under way; dropping it unfinished condemns the connection.
pub struct Call<'a, C: Connector> {
    in_flight: &'a mut bool,
    manager: &'a Manager<C>,
}

impl<C: Connector> Call<'_, C> {
    /// The call is over and the connection is in step with the server, whether or not the statement succeeded.
    pub fn finish(self) {
        *self.in_flight = false;
    }

    /// The server is gone: connections that are idle now are given up too.
    pub fn lost(self) {
        self.manager.mark_dead();
    }
}

impl<C: Connector> fmt::Debug for Call<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

impl<C: Connector> Drop for Lease<C> {
    fn drop(&mut self) {
        let Some(mut object) = self.object.take() else { return };
        let manager = self.pool.manager();
        if self.in_flight || !manager.connector.is_usable(&object.connection) {
            drop(Object::take(object));
        } else if manager.closing.load(Ordering::SeqCst) {
            let slot = Object::take(object);
            manager.leaving.lock().unwrap_or_else(PoisonError::into_inner).push(slot.connection);
        } else {
            object.returned = Instant::now();
            drop(object);
        }
        manager.in_use.fetch_sub(1, Ordering::SeqCst);
        // Asked again after the count: `close` either sees the count or is woken.
        if manager.closing.load(Ordering::SeqCst) {
            manager.returned.notify_waiters();
        }
    }
}

impl<C: Connector> fmt::Debug for Lease<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}
