//! Where an observation is made: a database of its own behind a proxy that sees every packet.

use std::{fmt, net::ToSocketAddrs, sync::Arc, time::Duration};

use mysql_async::prelude::Queryable as _;
use sqlx::{
    ConnectOptions as _, MySqlConnection, MySqlPool,
    mysql::{MySqlConnectOptions, MySqlPoolOptions, MySqlSslMode},
};
use tidb_connect_core::{BoxError, ConnectionConfig, TlsMode, pool::PoolPolicy};
use tidb_connect_mysql_async::Pool;
use tidb_connect_wire::{Proxy, Report};
use tokio::task::{JoinError, spawn_blocking};

use crate::run::Server;

/// Rows of text; NULL is the empty string.
pub(crate) type Rows = Vec<Vec<String>>;

/// What an observation is made with. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: Server,
    /// Leads to the database of the comparison, through the proxy where there is one.
    config: ConnectionConfig,
    /// None where connections are encrypted: they could not be read, and the certificate would not fit.
    proxy: Option<Proxy>,
    /// Connections past the driver that is observed.
    side: Pool,
}

impl Lab {
    /// A laboratory at the database that `config` names. To be opened in the runtime of the observation.
    pub(crate) fn open(server: Server, config: &ConnectionConfig) -> Result<Self, BoxError> {
        // A probe that takes the whole pool must not take long, and what it leaves open must not be shared.
        let direct = config.clone().with_pool(PoolPolicy::default());
        let proxy = match config.uses_tls() {
            true => None,
            false => {
                let mut addresses = (config.host(), config.port()).to_socket_addrs()?;
                let address = addresses.next().ok_or("the server's host name has no address")?;
                // sqlx encrypts where a server offers it.
                Some(Proxy::start_without_tls(address)?)
            }
        };
        let config = match &proxy {
            None => direct.clone(),
            // The proxy is on this machine, which alone must not make a remote server one without TLS.
            Some(proxy) => {
                let (host, port) = (proxy.addr().ip().to_string(), proxy.addr().port());
                direct.clone().with_host(host).with_port(port).with_tls(TlsMode::Disabled)
            }
        };
        let side = Pool::new(&direct)?;
        Ok(Self { shared: Arc::new(Shared { server, config, proxy, side }) })
    }

    /// The configuration that leads to the server, for this workspace's crates.
    pub(crate) fn config(&self) -> ConnectionConfig {
        self.shared.config.clone()
    }

    pub(crate) fn server(&self) -> &Server {
        &self.shared.server
    }

    /// sqlx's options with nothing set but where the server is.
    pub(crate) fn sqlx_options(&self) -> MySqlConnectOptions {
        sqlx_options(&self.shared.config)
    }

    /// mysql's options with nothing set but where the server is, and that connections go there: on a loopback address, the
    /// driver would look for a Unix socket, and go past the proxy.
    pub(crate) fn mysql_options(&self) -> mysql::OptsBuilder {
        mysql_options(&self.shared.config)
    }

    /// mysql_async's options, as [`mysql_options`](Self::mysql_options).
    pub(crate) fn mysql_async_options(&self) -> mysql_async::OptsBuilder {
        mysql_async_options(&self.shared.config)
    }

    /// A connection of sqlx as it comes.
    pub(crate) async fn sqlx(&self) -> Result<MySqlConnection, BoxError> {
        Ok(self.sqlx_options().connect().await?)
    }

    /// A connection of mysql as it comes, used on a thread that may wait.
    pub(crate) async fn mysql<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut mysql::Conn) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        let options = self.mysql_options();
        blocking(move || work(&mut mysql::Conn::new(options)?)).await
    }

    /// A connection of mysql_async as it comes.
    pub(crate) async fn mysql_async(&self) -> Result<mysql_async::Conn, BoxError> {
        Ok(mysql_async::Conn::new(self.mysql_async_options()).await?)
    }

    /// A connection of `tidb-connect-sqlx`.
    pub(crate) async fn our_sqlx(&self) -> Result<tidb_connect_sqlx::Connection, BoxError> {
        Ok(tidb_connect_sqlx::Pool::new(&self.config())?.get().await?)
    }

    /// A connection of `tidb-connect-mysql`, used on a thread that may wait.
    pub(crate) async fn our_mysql<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut tidb_connect_mysql::Connection) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, BoxError> {
        let config = self.config();
        blocking(move || work(&mut tidb_connect_mysql::Pool::new(&config)?.get()?)).await
    }

    /// A connection of `tidb-connect-mysql-async`.
    pub(crate) async fn our_mysql_async(&self) -> Result<tidb_connect_mysql_async::Connection, BoxError> {
        Ok(tidb_connect_mysql_async::Pool::new(&self.config())?.get().await?)
    }

    /// A pool of sqlx as it comes, which has opened its first connection.
    pub(crate) async fn sqlx_pool(&self) -> Result<MySqlPool, BoxError> {
        Ok(MySqlPoolOptions::new().connect_with(self.sqlx_options()).await?)
    }

    /// A pool of mysql as it comes, which has opened ten connections. To be used on a thread that may wait.
    pub(crate) fn mysql_pool(&self) -> Result<mysql::Pool, BoxError> {
        Ok(mysql::Pool::new(self.mysql_options())?)
    }

    /// A pool of mysql_async as it comes.
    pub(crate) fn mysql_async_pool(&self) -> mysql_async::Pool {
        mysql_async::Pool::new(self.mysql_async_options())
    }

    /// A connection past the driver that is observed, in the same database.
    pub(crate) async fn side(&self) -> Result<tidb_connect_mysql_async::Connection, BoxError> {
        Ok(self.shared.side.get().await?)
    }

    /// Runs a statement past the driver that is observed, in the same database.
    pub(crate) async fn sql(&self, statement: &str) -> Result<Rows, BoxError> {
        let mut connection = self.side().await?;
        let rows: Vec<mysql_async::Row> = connection.query(statement).await?;
        let text = |value| match value {
            mysql_async::Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            mysql_async::Value::NULL => String::new(),
            other => other.as_sql(true),
        };
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
    }

    /// The first value of the first row of [`sql`](Self::sql); empty where there is none.
    pub(crate) async fn value(&self, statement: &str) -> Result<String, BoxError> {
        Ok(self.sql(statement).await?.into_iter().flatten().next().unwrap_or_default())
    }

    /// Removes every table of the database.
    pub(crate) async fn empty(&self) -> Result<(), BoxError> {
        for table in self.sql("SHOW TABLES").await?.into_iter().flatten() {
            self.sql(&format!("DROP TABLE `{table}`")).await?;
        }
        Ok(())
    }

    /// The proxy between the driver and the server.
    pub(crate) fn proxy(&self) -> Result<&Proxy, BoxError> {
        let encrypted = "the connection is encrypted, so that its packets cannot be seen or changed";
        self.shared.proxy.as_ref().ok_or_else(|| NotObservable::here(encrypted))
    }

    /// What the driver sends while `work` runs.
    pub(crate) async fn watched<T>(
        &self,
        work: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<(T, Traffic), BoxError> {
        let before = self.proxy()?.report();
        let done = work.await?;
        Ok((done, self.traffic_since(&before)?))
    }

    /// What has been sent since `before`, which is the proxy's report.
    pub(crate) fn traffic_since(&self, before: &Report) -> Result<Traffic, BoxError> {
        let after = self.proxy()?.report();
        Ok(Traffic::between(before, &after))
    }

    /// Every packet of the observation so far, for its evidence.
    pub(crate) fn packets(&self) -> Vec<String> {
        let Some(proxy) = &self.shared.proxy else { return Vec::new() };
        let report = proxy.report();
        let connections = report.connections.iter().enumerate().map(|(number, connection)| {
            let commands = connection.commands.iter().map(ToString::to_string);
            let mut sent: Vec<String> = ["login".to_owned()].into_iter().chain(commands).collect();
            let more = sent.len().saturating_sub(MANY);
            sent.truncate(MANY);
            let more = if more == 0 { String::new() } else { format!("; {more} more") };
            let turns = plural(connection.round_trips, "round trip");
            format!("connection {}: {turns}: {}{more}", number + 1, sent.join("; "))
        });
        connections.take(MANY).collect()
    }

    /// Ends every connection of the observation.
    pub(crate) async fn end(self) {
        // The pool's connections are its own, and idle.
        let _ = self.shared.side.close().await;
        if let Some(proxy) = &self.shared.proxy {
            proxy.release();
            proxy.cut();
        }
    }
}

/// How many packets, and connections, an answer's evidence names.
const MANY: usize = 24;

/// `1 row`, `2 rows`.
pub(crate) fn plural(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// What a driver sent in a while.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic {
    /// Logins included.
    pub(crate) round_trips: u64,
    /// The protocol's name of each command, and its text where it has one: `COM_QUERY SELECT 1`.
    pub(crate) commands: Vec<String>,
    /// Connections opened.
    pub(crate) opened: usize,
}

impl Traffic {
    fn between(before: &Report, after: &Report) -> Self {
        let mut traffic = Self { opened: after.connections.len() - before.connections.len(), ..Self::default() };
        for (number, connection) in after.connections.iter().enumerate() {
            let (turns, commands) =
                before.connections.get(number).map_or((0, 0), |before| (before.round_trips, before.commands.len()));
            traffic.round_trips += connection.round_trips - turns;
            traffic.commands.extend(connection.commands[commands..].iter().map(ToString::to_string));
        }
        traffic
    }

    /// How many of the commands begin with `name`.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.commands.iter().filter(|command| command.starts_with(name)).count()
    }
}

/// sqlx's options with nothing set but what leads to a server.
pub(crate) fn sqlx_options(config: &ConnectionConfig) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new()
        .host(config.host())
        .port(config.port())
        .username(config.user())
        .database(config.database());
    // An empty one, too, is answered with a hash, which servers refuse.
    if !config.password().is_empty() {
        options = options.password(config.password().expose());
    }
    if config.uses_tls() {
        options = options.ssl_mode(MySqlSslMode::VerifyIdentity);
    }
    match config.ca_path() {
        Some(path) => options.ssl_ca(path),
        None => options,
    }
}

/// mysql's options with nothing set but what leads to a server.
pub(crate) fn mysql_options(config: &ConnectionConfig) -> mysql::OptsBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ssl = || mysql::SslOpts::default().with_root_cert_path(config.ca_path().map(ToOwned::to_owned));
    mysql::OptsBuilder::new()
        .ip_or_hostname(Some(config.host()))
        .tcp_port(config.port())
        .user(Some(config.user()))
        .pass(Some(config.password().expose()))
        .db_name(Some(config.database()))
        .ssl_opts(config.uses_tls().then(ssl))
        .prefer_socket(false)
}

/// mysql_async's options with nothing set but what leads to a server.
pub(crate) fn mysql_async_options(config: &ConnectionConfig) -> mysql_async::OptsBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = || config.ca_path().map(|path| path.to_owned().into()).into_iter().collect();
    mysql_async::OptsBuilder::default()
        .ip_or_hostname(config.host())
        .tcp_port(config.port())
        .user(Some(config.user()))
        .pass(Some(config.password().expose()))
        .db_name(Some(config.database()))
        .ssl_opts(config.uses_tls().then(|| mysql_async::SslOpts::default().with_root_certs(roots())))
        .prefer_socket(false)
}

/// Runs `work` on a thread that may wait. Its panic is a [`Panicked`].
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(Panicked::from(error).into()))
}

/// Runs `work` as a task. Its panic is a [`Panicked`].
pub(crate) async fn caught<T: Send + 'static>(
    work: impl Future<Output = Result<T, BoxError>> + Send + 'static,
) -> Result<T, BoxError> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Panicked::from(error).into()))
}

/// Why this server, or this user, does not let something be seen.
#[derive(Debug)]
pub(crate) struct NotObservable(pub(crate) String);

impl NotObservable {
    pub(crate) fn here(reason: impl Into<String>) -> BoxError {
        Box::new(Self(reason.into()))
    }
}

impl fmt::Display for NotObservable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotObservable {}

/// A driver's panic, with its text.
#[derive(Debug)]
pub(crate) struct Panicked(String);

impl From<JoinError> for Panicked {
    fn from(error: JoinError) -> Self {
        let text = match error.try_into_panic() {
            Ok(payload) => match payload.downcast::<String>() {
                Ok(text) => *text,
                Err(payload) => payload.downcast_ref::<&str>().copied().unwrap_or("without a text").to_owned(),
            },
            Err(_) => "its runtime was shut down".to_owned(),
        };
        Self(text)
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panic: {}", self.0)
    }
}

impl std::error::Error for Panicked {}

/// How long a driver is given to do what it may never do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
