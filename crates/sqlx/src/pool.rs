//! The pool: the rules of [`tidb_connect_core::pool`] on tokio's clock.

use std::fmt;

use sqlx::{Connection as _, Executor as _, MySqlConnection, mysql::MySqlConnectOptions};
use tidb_connect_core::{
    ConnectionConfig, Result,
    pool::{self, Place, PoolStatus},
};
use tokio::time::timeout;

use crate::{
    Connection, DRIVER,
    error::{fault, without_panic},
    options, relay,
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
        // `connect` sends the `SET` of the session, with more in it than the driver's own.
        let connector = Connector { config: config.clone(), options: options(config)?.timezone(None) };
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
    options: MySqlConnectOptions,
}

impl pool::Connector for Connector {
    type Connection = MySqlConnection;

    const DRIVER: &'static str = DRIVER;

    fn config(&self) -> &ConnectionConfig {
        &self.config
    }

    async fn connect(&self, _: Place<Self>) -> Result<MySqlConnection> {
        let connect = without_panic(async {
            let mut connection = relay::connect(&self.config, &self.options).await?;
            connection.execute(self.config.session_sql().as_str()).await?;
            Ok(connection)
        });
        match timeout(self.config.connect_timeout(), connect).await {
            Ok(connected) => connected.map_err(|error| self.config.connect_error(DRIVER, fault(&error), error)),
            Err(_) => Err(self.config.connect_timed_out(DRIVER)),
        }
    }

    async fn probe(&self, mut connection: MySqlConnection, _: Place<Self>) -> Option<MySqlConnection> {
        let answer = timeout(self.config.pool().probe_timeout(), without_panic(connection.ping())).await;
        matches!(answer, Ok(Ok(()))).then_some(connection)
    }

    async fn disconnect(&self, connection: MySqlConnection) {
        let _ = connection.close().await;
    }
}

/// Without the options, whose own `Debug` shows the password.
impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("config", &self.config).finish_non_exhaustive()
    }
}
