//! The server, and a database of the runner's own on it.

use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    process,
};

use tidb_connect_core::{ConnectionConfig, Settings, TlsMode};
use tidb_connect_mysql::{Connection, Pool, mysql::prelude::Queryable as _};
use tidb_connect_playground::{Playground, Server as Process};

use crate::Failure;

/// More than any number of peers and tasks needs; MariaDB's default is less.
const MAX_CONNECTIONS: u32 = 4096;

/// What players have at first, so that no trade is refused.
const WEALTH: u32 = 1_000_000;

/// A server on this machine. Dropping it removes the database.
#[derive(Debug)]
pub(crate) struct Server {
    connection: Connection,
    /// How to log in to the database.
    pub(crate) config: ConnectionConfig,
    pub(crate) addr: SocketAddr,
    /// As `tidb-v8.5.3` or `mariadb-10.11.19`.
    pub(crate) version: String,
    _process: Option<Process>,
}

impl Server {
    /// The server that the environment names; else one of our own.
    pub(crate) fn choose() -> Result<Self, Failure> {
        let settings = Settings::from_env()?;
        let named = settings.names_a_server();
        let process = if named { None } else { Some(Playground::find()?.start()?) };
        let config = match &process {
            Some(process) => ConnectionConfig::new().with_host(process.host()).with_port(process.port()),
            None => settings.config()?,
        };
        let config = config.with_tls(TlsMode::Disabled);
        let addr = (config.host(), config.port()).to_socket_addrs()?.find(|addr| addr.ip().is_loopback());
        let addr = addr.ok_or("this load is for a server on this machine only, and TIDB_HOST names another")?;
        let mut connection = Pool::new(&config)?.get()?;
        let version: Option<String> = connection.query_first("SELECT VERSION()")?;
        if !named {
            connection.query_drop(format!("SET GLOBAL max_connections = {MAX_CONNECTIONS}"))?;
        }
        let database = format!("bench_peers_{}", process::id());
        connection.query_drop(format!("CREATE DATABASE {database}"))?;
        let version = product(&version.unwrap_or_default());
        let server = Self { connection, config: config.with_database(database), addr, version, _process: process };
        Ok(server)
    }

    /// Makes the table `players` anew, with players whose ids go from 1 to `count`.
    pub(crate) fn fill(&mut self, count: usize) -> Result<(), Failure> {
        self.clear()?;
        let database = self.config.database();
        self.connection.query_drop(format!(
            "CREATE TABLE {database}.players (\
             id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
             name VARCHAR(32) NOT NULL UNIQUE, \
             coins INT NOT NULL, \
             goods INT NOT NULL)"
        ))?;
        let rows = Vec::from_iter((1..=count).map(|id| format!("({id}, 'player {id}', {WEALTH}, {WEALTH})")));
        for rows in rows.chunks(500) {
            self.connection.query_drop(format!("INSERT INTO {database}.players VALUES {}", rows.join(", ")))?;
        }
        Ok(())
    }

    /// Removes the table `players`, if it is there.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        Ok(self.connection.query_drop(format!("DROP TABLE IF EXISTS {}.players", self.config.database()))?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.connection.query_drop(format!("DROP DATABASE {}", self.config.database())) {
            crate::say(format_args!("the database {} is left behind: {error}", self.config.database()));
        }
    }
}

/// The product and its version, from what the server says of itself.
fn product(version: &str) -> String {
    if let Some((_, tidb)) = version.split_once("-TiDB-") {
        format!("tidb-{tidb}")
    } else if let Some((mariadb, _)) = version.split_once("-MariaDB") {
        format!("mariadb-{mariadb}")
    } else {
        format!("mysql-{version}")
    }
}
