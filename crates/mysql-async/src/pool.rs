//! The pool: the rules of [`tidb_connect_core::pool`] on tokio's clock.

use std::{
    fmt, fs,
    sync::{Mutex, PoisonError},
};

use futures_util::FutureExt;
use mysql_async::{Conn, Opts, consts::StatusFlags, prelude::Queryable};
use tidb_connect_core::{
    ConnectionConfig, Result,
    pool::{self, Place, PoolStatus},
};
use tokio::time::timeout;

use crate::{
    Connection, DRIVER,
    error::{fault, without_panic},
    options,
};

/// A pool of connections; clones share it.
#[derive(Clone, Debug)]
pub struct Pool(pool::Pool<Connector>);

/// Opens a pool, and its first connection, so that wrong settings show at once.
///
/// # Errors
/// Why that connection could not be opened, in the words of the settings; never later than the acquire limit.
pub async fn connect(config: &ConnectionConfig) -> Result<Pool> {
    let pool = Pool::new(config)?;
    pool.get().await?;
    Ok(pool)
}

impl Pool {
    /// A pool that opens connections when they are asked for.
    ///
    /// # Errors
    /// [`Config`](tidb_connect_core::ErrorKind::Config) when [`ConnectionConfig::validate`] finds something wrong.
    pub fn new(config: &ConnectionConfig) -> Result<Self> {
        let options = Mutex::new((ca_file(config), options(config)?.into()));
        let connector = Connector { config: config.clone(), options };
        pool::Pool::new(connector).map(Self)
    }

    /// Takes a connection, which comes back to the pool when it is dropped.
    ///
    /// # Errors
    /// At once when the server cannot be reached or refuses; within the acquire limit in any other case, with
    /// [`PoolExhausted`](tidb_connect_core::ErrorKind::PoolExhausted) when all connections are in use.
    pub async fn get(&self) -> Result<Connection> {
        let lease = match self.0.try_acquire() {
            Some(lease) => lease,
            None => {
                let limit = self.config().pool().acquire_timeout();
                timeout(limit, self.0.acquire()).await.unwrap_or_else(|_| Err(self.0.acquire_timed_out()))?
            }
        };
        Ok(Connection::new(lease))
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
    pub async fn close(&self) -> Result<()> {
        let limit = self.config().pool().acquire_timeout();
        timeout(limit, self.0.close()).await.map_err(|_| self.0.close_timed_out())
    }
}

/// Opens, probes and ends the driver's connections.
pub struct Connector {
    config: ConnectionConfig,
    /// With the CA file that they were made from: the driver reads it once for each `Opts`, and keeps what it needs to resume
    /// sessions of TLS in them.
    options: Mutex<(Option<Vec<u8>>, Opts)>,
}

impl Connector {
    /// The options, made again when the CA file has changed.
    fn options(&self) -> Result<Opts> {
        let mut made = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        let file = ca_file(&self.config);
        if made.0 != file {
            *made = (file, options(&self.config)?.into());
        }
        Ok(made.1.clone())
    }
}

/// What is in the CA file; that it cannot be read, the options report.
fn ca_file(config: &ConnectionConfig) -> Option<Vec<u8>> {
    config.ca_path().and_then(|path| fs::read(path).ok())
}

impl pool::Connector for Connector {
    type Connection = Conn;

    const DRIVER: &'static str = DRIVER;

    fn config(&self) -> &ConnectionConfig {
        &self.config
    }

    async fn connect(&self, _: Place<Self>) -> Result<Conn> {
        let connect = without_panic(Conn::new(self.options()?));
        match timeout(self.config.connect_timeout(), connect).await {
            Ok(connected) => connected.map_err(|error| self.config.connect_error(DRIVER, fault(&error), error)),
            Err(_) => Err(self.config.connect_timed_out(DRIVER)),
        }
    }

    fn is_usable(&self, connection: &Conn) -> bool {
        let settled = |status: StatusFlags| {
            status.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT)
                && !status.contains(StatusFlags::SERVER_STATUS_IN_TRANS)
        };
        !connection.is_disconnected() && connection.last_ok_packet().is_none_or(|ok| settled(ok.status_flags()))
    }

    async fn probe(&self, mut connection: Conn, _: Place<Self>) -> Option<Conn> {
        let answer = timeout(self.config.pool().probe_timeout(), without_panic(connection.ping())).await;
        matches!(answer, Ok(Ok(()))).then_some(connection)
    }

    const RESETS: bool = true;

    async fn reset(&self, mut connection: Conn, _: Place<Self>) -> Option<Conn> {
        let answer = timeout(self.config.pool().probe_timeout(), without_panic(connection.reset())).await;
        matches!(answer, Ok(Ok(true))).then_some(connection)
    }

    /// A driver's connection that is dropped reads all rows in a task of its own before it closes, unless a call on it was
    /// dropped half-way.
    fn abort(&self, mut connection: Conn) {
        let _ = without_panic(connection.ping()).now_or_never();
    }

    async fn disconnect(&self, connection: Conn) {
        let _ = connection.disconnect().await;
    }
}

/// Without the options, whose own `Debug` shows the password.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("config", &self.config).finish_non_exhaustive()
    }
}
