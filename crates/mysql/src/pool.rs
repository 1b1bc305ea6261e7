//! The pool: the rules of [`tidb_connect_core::pool`] on the caller's thread.

use std::{
    fmt,
    future::Future,
    io,
    net::ToSocketAddrs,
    pin::pin,
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use mysql::{Conn, DriverError, OptsBuilder};
use tidb_connect_core::{
    ConnectionConfig, Result,
    pool::{self, Claim, Lease, Place, PoolStatus},
};
use tokio::{runtime, sync::oneshot, task::unconstrained, time::timeout};

use crate::{
    Connection, DRIVER,
    error::{cause, connect_fault, without_panic},
    options,
    socket::Session,
};

/// A pool of connections; clones share it.
#[derive(Clone, Debug)]
pub struct Pool(pool::Pool<Connector>);

/// What a caller has been given without blocking its thread.
#[derive(Debug)]
pub(crate) enum Claimed {
    Connection(Connection),
    /// A place in the pool, and until when its connection may be waited for; `None` for ever.
    Place(Claim<Connector>, Option<Instant>),
}

/// Opens a pool, and its first connection, so that wrong settings show at once.
///
/// # Errors
/// Why that connection could not be opened, in the words of the settings; never later than the acquire limit.
pub fn connect(config: &ConnectionConfig) -> Result<Pool> {
    let pool = Pool::new(config)?;
    pool.get()?;
    Ok(pool)
}

impl Pool {
    /// A pool that opens connections when they are asked for.
    ///
    /// # Errors
    /// [`Config`](tidb_connect_core::ErrorKind::Config) when [`ConnectionConfig::validate`] finds something wrong.
    pub fn new(config: &ConnectionConfig) -> Result<Self> {
        let connector = Connector { config: config.clone(), options: options(config)? };
        pool::Pool::new(connector).map(Self)
    }

    /// Takes a connection, which comes back to the pool when it is dropped. Blocks the calling thread.
    ///
    /// The driver cannot be stopped while it logs in. When that is given up, at the limit or because a connection came
    /// back meanwhile, the attempt counts against the maximum until it ends, at the latest with its time-outs, and what it
    /// has opened is left to others.
    ///
    /// # Errors
    /// At once when the server cannot be reached or refuses; within the acquire limit in any other case, with
    /// [`PoolExhausted`](tidb_connect_core::ErrorKind::PoolExhausted) when all connections are in use.
    pub fn get(&self) -> Result<Connection> {
        if let Some(lease) = self.0.try_acquire() {
            return Ok(Connection::new(lease));
        }
        self.lease(wait(self.0.acquire(), self.deadline(), || false))
    }

    /// An idle connection, or else waits for a place in the pool, on tokio's clock.
    pub(crate) async fn claim(&self) -> Result<Claimed> {
        if let Some(lease) = self.0.try_acquire() {
            return Ok(Claimed::Connection(Connection::new(lease)));
        }
        let (limit, deadline) = (self.config().pool().acquire_timeout(), self.deadline());
        let claim = timeout(limit, self.0.claim()).await.unwrap_or_else(|_| Err(self.0.acquire_timed_out()))?;
        Ok(Claimed::Place(claim, deadline))
    }

    /// [`get`](Self::get) with what has been claimed already. Does not go on once `given_up` holds, which is asked
    /// whenever the thread is unparked.
    pub(crate) fn get_claimed(&self, claimed: Claimed, given_up: impl Fn() -> bool) -> Result<Connection> {
        let (claim, deadline) = match claimed {
            Claimed::Connection(connection) => return Ok(connection),
            Claimed::Place(claim, deadline) => (claim, deadline),
        };
        self.lease(wait(claim.connect(), deadline, given_up))
    }

    /// When the acquire limit ends that begins now; `None` where that lies beyond the end of time.
    fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.config().pool().acquire_timeout())
    }

    fn lease(&self, lease: Option<Result<Lease<Connector>>>) -> Result<Connection> {
        lease.unwrap_or_else(|| Err(self.0.acquire_timed_out())).map(Connection::new)
    }

    /// The configuration that connections are opened with.
    #[must_use]
    pub fn config(&self) -> &ConnectionConfig {
        &self.0.connector().config
    }

    /// Counters of this moment.
    #[must_use]
    pub fn status(&self) -> PoolStatus {
        self.0.status()
    }

    /// Refuses new callers, waits for connections in use to come back, and tells the server goodbye on each.
    ///
    /// # Errors
    /// [`TimedOut`](tidb_connect_core::ErrorKind::TimedOut) when some are still in use after the acquire limit.
    pub fn close(&self) -> Result<()> {
        wait(self.0.close(), self.deadline(), || false).ok_or_else(|| self.0.close_timed_out())
    }
}

/// Drives `future` on this thread; `None` when the time has passed first, or the caller has given up.
///
/// Where the thread belongs to a runtime of tokio's, without the budget of its task: a blocking caller does not give the
/// thread back between its calls, so that nothing would renew it.
fn wait<F: Future>(future: F, deadline: Option<Instant>, given_up: impl Fn() -> bool) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(unconstrained(future));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        if given_up() {
            return None;
        }
        match deadline {
            Some(deadline) => thread::park_timeout(deadline.checked_duration_since(Instant::now())?),
            None => thread::park(),
        }
    }
}

/// Opens, probes and ends the driver's connections.
pub struct Connector {
    config: ConnectionConfig,
    options: OptsBuilder,
}

/// Runs `work` on a thread of its own, so that the caller can stop waiting for it: for its limit, for a connection that
/// comes back meanwhile, or for the close of the pool; `unclaimed` takes what it comes to then. `None` when that takes
/// longer than `limit`.
async fn on_thread<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
    unclaimed: impl FnOnce(T) + Send + 'static,
) -> io::Result<Option<T>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let (done, result) = oneshot::channel();
    let named = |name: &str| thread::Builder::new().name(name.to_owned());
    named("tidb-connect-work").spawn(move || sender.send(work()))?;
    named("tidb-connect-clock").spawn(move || {
        if let Err(Some(late)) = done.send(receiver.recv_timeout(limit).ok()) {
            unclaimed(late);
        }
    })?;
    Ok(result.await.ok().flatten())
}

/// Connects and logs in, each wait for the server limited by `limit`, and later ones by the operation time-out.
fn log_in(config: &ConnectionConfig, options: OptsBuilder, limit: Duration) -> mysql::Result<Session> {
    let options = options.tcp_connect_timeout(Some(limit)).read_timeout(Some(limit)).write_timeout(Some(limit));
    let session = if config.uses_tls() {
        Session::open(options.into())?
    } else {
        // The driver gives up at the first address of a name, and `localhost` is often `::1` before `127.0.0.1`. With
        // TLS it needs the name itself.
        let mut opened = Err(DriverError::CouldNotConnect(None).into());
        for address in (config.host(), config.port()).to_socket_addrs()? {
            opened = Session::open(options.clone().ip_or_hostname(Some(address.ip().to_string())).into());
            if !matches!(opened, Err(mysql::Error::DriverError(DriverError::CouldNotConnect(_)))) {
                break;
            }
        }
        opened?
    };
    session.limit(config.operation_timeout())?;
    Ok(session)
}

impl Connector {
    /// The connection, if the server answers on it, with nothing behind the answer.
    async fn ask(
        &self,
        mut session: Session,
        place: Place<Self>,
        question: fn(&mut Conn) -> mysql::Result<()>,
    ) -> Option<Session> {
        let (limit, later) = (self.config.pool().probe_timeout(), self.config.operation_timeout());
        let ask = move || {
            let answered = session.limit(limit).is_ok()
                && without_panic(|| question(&mut session.conn)).is_ok()
                && session.is_quiet()
                && session.limit(later).is_ok();
            (answered.then_some(session), place)
        };
        on_thread(limit, ask, drop).await.ok().flatten().and_then(|(session, _place)| session)
    }
}

impl pool::Connector for Connector {
    type Connection = Session;

    const DRIVER: &'static str = DRIVER;

    fn config(&self) -> &ConnectionConfig {
        &self.config
    }

    /// The driver limits each wait for the server, not the whole, and the resolution of names not at all.
    async fn connect(&self, place: Place<Self>) -> Result<Session> {
        let (config, options, limit) = (self.config.clone(), self.options.clone(), self.config.connect_timeout());
        let failed =
            |error| self.config.connect_error(DRIVER, connect_fault(&error, self.config.uses_tls()), cause(error));
        // The place comes last: a connection that comes too late is closed before it is free.
        let log_in = move || (without_panic(|| log_in(&config, options, limit)), place);
        let unclaimed = |(session, place): (mysql::Result<Session>, Place<Self>)| {
            if let Ok(session) = session {
                drop(place.leave(session));
            }
        };
        match on_thread(limit, log_in, unclaimed).await {
            Ok(Some((session, _place))) => session.map_err(failed),
            Ok(None) => Err(self.config.connect_timed_out(DRIVER)),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// `query_iter` and `exec_iter` read the rest when their result is dropped, and pass over an error: where that was a
    /// time-out, the result lived for as long, and where rows came late, they are there to be read.
    fn has_read_all(&self, session: &Session, since: Instant) -> bool {
        since.elapsed() < self.config.operation_timeout() && session.is_quiet()
    }

    fn runtime() -> Option<runtime::Id> {
        None
    }

    async fn probe(&self, session: Session, place: Place<Self>) -> Option<Session> {
        self.ask(session, place, Conn::ping).await
    }

    const RESETS: bool = true;

    async fn reset(&self, session: Session, place: Place<Self>) -> Option<Session> {
        self.ask(session, place, Conn::reset).await
    }

    async fn disconnect(&self, session: Session) {
        // The driver says goodbye when it drops a connection.
        drop(session);
    }

    fn discard(&self, session: Session) {
        // Or else the driver would say goodbye, and wait where nothing is taken from the socket.
        session.end();
    }
}

/// Without the options, whose own `Debug` shows the password.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("config", &self.config).finish_non_exhaustive()
    }
}
