//! TiDB through [`sqlx`](https://docs.rs/sqlx): tuned options, one pool, honest errors.
//!
//! ```no_run
//! use tidb_connect_sqlx::{ConnectionConfig, connect, sqlx};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = connect(&ConnectionConfig::new()).await?;
//! let mut connection = pool.get().await?;
//! let (version,): (String,) = sqlx::query_as("SELECT VERSION()").fetch_one(&mut connection).await?;
//! # Ok(()) }
//! ```
//!
//! [`options`] gives the driver's own options to a program that has a pool of its own. [`SqlxStore`] is the worked
//! example of [`players`](tidb_connect_core::players).

mod connection;
mod error;
mod options;
mod players;
mod pool;
mod transaction;

pub use connection::Connection;
pub use options::options;
pub use players::SqlxStore;
pub use pool::{Connector, Pool, connect};
pub use sqlx;
pub use tidb_connect_core::{
    self, Committed, ConnectionConfig, Error, ErrorKind, Outcome, Result, TransactionError, TransactionOptions,
};
pub use transaction::Transaction;

/// The driver's name, in [`Error::driver`] and [`PlayerStore::driver`](tidb_connect_core::players::PlayerStore::driver).
pub const DRIVER: &str = "sqlx";

/// Keeps the program in the workspace's README compiling.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
