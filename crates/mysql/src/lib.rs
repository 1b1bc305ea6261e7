//! TiDB through the blocking [`mysql`](https://docs.rs/mysql) driver: tuned options, one pool, honest errors.
//!
//! ```no_run
//! use tidb_connect_mysql::{ConnectionConfig, connect, mysql::prelude::*};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = connect(&ConnectionConfig::new())?;
//! let mut connection = pool.get()?;
//! let version: Option<String> = connection.query_first("SELECT VERSION()")?;
//! # Ok(()) }
//! ```
//!
//! Everything here is synchronous and needs no async runtime, except [`MysqlStore`], the worked example of
//! [`players`](tidb_connect_core::players) for async programs; [`BlockingStore`] is the same without one. [`options`]
//! gives the driver's own options to a program that has a pool of its own.
//!
//! With TLS the driver tries only the first address of a host name; where `localhost` is `::1` first and the server
//! listens on `127.0.0.1` only, set `TIDB_HOST` to that. Without TLS all addresses are tried.
//!
//! Unix only: a call that is given up is ended through the connection's file descriptor.

mod abort;
mod connection;
mod error;
mod options;
mod players;
mod pool;
mod socket;
mod transaction;

pub use connection::Connection;
pub use mysql;
pub use options::options;
pub use players::{BlockingStore, MysqlStore};
pub use pool::{Connector, Pool, connect};
pub use tidb_connect_core::{
    self, Committed, ConnectionConfig, Error, ErrorKind, Outcome, Result, TransactionError, TransactionOptions,
};
pub use transaction::Transaction;

/// The driver's name, in [`Error::driver`] and [`PlayerStore::driver`](tidb_connect_core::players::PlayerStore::driver).
pub const DRIVER: &str = "mysql";
