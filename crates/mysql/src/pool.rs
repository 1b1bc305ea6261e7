//! The pool: the rules of [`tidb_connect_core::pool`] on the caller's thread.

use std::{
    fmt,
    future::Future,
    net::ToSocketAddrs,
    pin::pin,
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use mysql::{DriverError, OptsBuilder};
use tidb_connect_core::{
    ConnectionConfig, Error, Result,
    pool::{self, PoolStatus},
};

use crate::{
    Connection, DRIVER,
    error::{cause, fault},
    options,
    socket::Session,
};

/// A pool of connections; clones share it.
#[derive(Clone, Debug)]
pub struct Pool(pool::Pool<Connector>);

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
    /// # Errors
    /// At once when the server cannot be reached or refuses; within the acquire limit in any other case, with
    /// [`PoolExhausted`](tidb_connect_core::ErrorKind::PoolExhausted) when all connections are in use.
    pub fn get(&self) -> Result<Connection> {
        let limit = self.config().pool().acquire_timeout();
        let lease = wait(self.0.acquire(), limit).unwrap_or_else(|| Err(self.0.acquire_timed_out()))?;
        Ok(Connection::new(lease))
    }

    pub(crate) fn acquire_timed_out(&self) -> Error {
        self.0.acquire_timed_out()
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
        let limit = self.config().pool().acquire_timeout();
        wait(self.0.close(), limit).ok_or_else(|| self.0.close_timed_out())
    }
}

/// Drives `future` on this thread; `None` when the time has passed first.
fn wait<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, deadline) = (pin!(future), Instant::now() + limit);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        thread::park_timeout(deadline.checked_duration_since(Instant::now())?);
    }
}

/// Opens, probes and ends the driver's connections.
pub struct Connector {
    config: ConnectionConfig,
    options: OptsBuilder,
}

impl Connector {
    /// How long opening a connection may take: the acquire limit cannot cut it, so it is no longer than that.
    fn connect_timeout(&self) -> Duration {
        self.config.connect_timeout().min(self.config.pool().acquire_timeout())
    }
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

impl pool::Connector for Connector {
    type Connection = Session;

    const DRIVER: &'static str = DRIVER;

    fn config(&self) -> &ConnectionConfig {
        &self.config
    }

    /// On a thread of its own: the driver limits each read, not the whole, and name resolution not at all.
    async fn connect(&self) -> Result<Session> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (config, options, limit) = (self.config.clone(), self.options.clone(), self.connect_timeout());
        let failed = |error| self.config.connect_error(DRIVER, fault(&error), cause(error));
        thread::Builder::new()
            .name("tidb-connect-login".to_owned())
            .spawn(move || sender.send(log_in(&config, options, limit)))
            .map_err(|error| failed(error.into()))?;
        match receiver.recv_timeout(limit) {
            Ok(session) => session.map_err(failed),
            Err(_) => Err(self.config.connect_timed_out(DRIVER)),
        }
    }

    async fn probe(&self, session: &mut Session) -> bool {
        session.limit(self.config.pool().probe_timeout()).is_ok()
            && session.conn.ping().is_ok()
            && session.limit(self.config.operation_timeout()).is_ok()
    }

    async fn disconnect(&self, session: Session) {
        // The driver says goodbye when it drops a connection.
        drop(session);
    }
}

/// Without the options, whose own `Debug` shows the password.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("config", &self.config).finish_non_exhaustive()
    }
}
