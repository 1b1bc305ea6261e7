//! A database on a real server for one check.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use mysql::{Conn, OptsBuilder, SslOpts, prelude::Queryable};
use tidb_connect_core::{ConnectionConfig, Settings};
use tidb_connect_wire::Proxy;

use crate::{
    Failure,
    suite::{Opener, Store},
};

/// The pool of a store under test: small, so that checks can ask for more connections than there are.
pub(crate) const MAX_CONNECTIONS: usize = 4;

/// How long the kit waits for the server, and for a lock that a store left behind.
const PATIENCE: Duration = Duration::from_secs(30);

/// Error 1007: the database exists.
const DATABASE_EXISTS: u16 = 1007;

/// The server that a check runs on, with a database of the check's own and a way past the store.
#[derive(Debug)]
pub struct Server {
    config: ConnectionConfig,
    open: Opener,
}

impl Server {
    /// Creates an empty database for a store of `driver` on the server that the environment names.
    pub(crate) fn create(driver: &str, open: Opener) -> Result<Self, Failure> {
        Self::create_on(named(Settings::from_env())?, driver, open)
    }

    /// Creates an empty database for a store of `driver` on the server that `config` leads to.
    pub(crate) fn create_on(config: ConnectionConfig, driver: &str, open: Opener) -> Result<Self, Failure> {
        static NEXT: AtomicU32 = AtomicU32::new(0);

        let mut connection = connect(&config, None)?;
        let driver = driver.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("tidb_connect_{driver}_{}_{number}", process::id());
            match connection.query_drop(format!("CREATE DATABASE `{name}`")) {
                Ok(()) => {
                    let pool = config.pool().clone().with_max_connections(MAX_CONNECTIONS);
                    return Ok(Self { config: config.with_database(name).with_pool(pool), open });
                }
                // Left behind by a process that was killed and had the same id.
                Err(mysql::Error::MySqlError(error)) if error.code == DATABASE_EXISTS => {}
                Err(error) => return Err(Failure::caused("the kit cannot create a database:", &error)),
            }
        }
    }

    /// Creates an empty database for checks that open no store.
    pub(crate) fn create_for(driver: &str) -> Result<Self, Failure> {
        Self::create(driver, Opener::none())
    }

    /// A connection of the kit's own, with the check's database.
    pub(crate) fn connect(&self) -> Result<Conn, Failure> {
        connect(&self.config, Some(self.config.database()))
    }

    /// A proxy in front of the server.
    pub(crate) fn proxy(&self) -> Result<Proxy, Failure> {
        let broken = |error| Failure::caused("the kit cannot start its proxy:", &error);
        Proxy::start(self.address()?).map_err(broken)
    }

    /// Where the server is.
    pub(crate) fn address(&self) -> Result<SocketAddr, Failure> {
        let unknown = |error| Failure::caused("the server's host name cannot be resolved:", &error);
        let mut addresses = (self.config.host(), self.config.port()).to_socket_addrs().map_err(unknown)?;
        addresses.next().ok_or_else(|| Failure::new("the server's host name has no address"))
    }

    /// The ids of all connections that use the check's database, but the kit's own.
    pub(crate) fn others(&self) -> Result<Vec<String>, Failure> {
        self.sql("SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
    }

    /// Ends every connection that uses the check's database.
    pub(crate) fn kill_others(&self) -> Result<(), Failure> {
        self.others()?.iter().try_for_each(|id| self.sql(&format!("KILL {id}")).map(drop))
    }

    /// The configuration that the store under test was opened with.
    #[must_use]
    pub fn config(&self) -> &ConnectionConfig {
        &self.config
    }

    /// Opens another store.
    ///
    /// # Errors
    /// What the store's own `connect` reports.
    pub async fn open(&self, config: ConnectionConfig) -> tidb_connect_core::Result<Store> {
        self.open.open(config).await
    }

    /// Runs a statement in the check's database, on a connection of the kit's own, and returns the first column of
    /// every row as text. NULL is the empty string.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn sql(&self, statement: &str) -> Result<Vec<String>, Failure> {
        let mut connection = self.connect()?;
        let rows: Vec<mysql::Row> = connection
            .query(statement)
            .map_err(|error| Failure::caused(&format!("the kit's statement failed: {statement}"), &error))?;
        let first = |mut row: mysql::Row| row.take::<Option<String>, _>(0).flatten().unwrap_or_default();
        Ok(rows.into_iter().map(first).collect())
    }

    pub(crate) fn is_tidb(&self) -> Result<bool, Failure> {
        Ok(self.sql("SELECT VERSION()")?.iter().any(|version| version.contains("TiDB")))
    }

    /// Drops the database.
    pub(crate) fn remove(&self) -> Result<(), Failure> {
        let name = self.config.database();
        connect(&self.config, None)?
            .query_drop(format!("DROP DATABASE `{name}`"))
            .map_err(|error| Failure::caused(&format!("the database {name} could not be dropped:"), &error))
    }
}

/// The server that `settings` name, never one that happens to run.
fn named(settings: tidb_connect_core::Result<Settings>) -> Result<ConnectionConfig, Failure> {
    let wrong = |error| Failure::caused("the settings of the server are wrong:", &error);
    let settings = settings.map_err(wrong)?;
    if !settings.names_a_server() {
        return Err(Failure::new("no server: set TIDB_HOST and TIDB_PORT, or run `just test`, which starts one"));
    }
    settings.config().map_err(wrong)
}

fn connect(config: &ConnectionConfig, database: Option<&str>) -> Result<Conn, Failure> {
    let tls =
        config.uses_tls().then(|| SslOpts::default().with_root_cert_path(config.ca_path().map(ToOwned::to_owned)));
    let options = OptsBuilder::new()
        .ip_or_hostname(Some(config.host()))
        .tcp_port(config.port())
        .user(Some(config.user()))
        .pass(Some(config.password().expose()))
        .db_name(database)
        // Both would cost a query and could lead to another server than the one that is meant.
        .prefer_socket(false)
        .max_allowed_packet(Some(64 << 20))
        .ssl_opts(tls)
        .tcp_connect_timeout(Some(config.connect_timeout()))
        .read_timeout(Some(PATIENCE))
        // Without it, a transaction that a store left open would hold up `DROP DATABASE` for as long as a day.
        .init(vec![format!("SET lock_wait_timeout = {}", PATIENCE.as_secs() / 2)]);
    Conn::new(options).map_err(|error| Failure::caused(&format!("the kit cannot connect to {config}:"), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_must_be_named() {
        let said = named(Ok(Settings::new())).expect_err("names none").to_string();
        assert_eq!(said, "no server: set TIDB_HOST and TIDB_PORT, or run `just test`, which starts one");
        let only_port = |name: &str| (name == "TIDB_PORT").then(|| "4001".to_owned());
        assert_eq!(named(Ok(Settings::new().with_variables(".env", only_port))).expect("named").port(), 4001);
        let no_port = |name: &str| (name == "TIDB_PORT").then(|| "abc".to_owned());
        let said = named(Ok(Settings::new().with_variables(".env", no_port))).expect_err("wrong").to_string();
        assert!(said.contains("TIDB_PORT"), "{said}");
    }
}
