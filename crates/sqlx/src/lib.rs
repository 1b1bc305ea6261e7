#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! [`connect`] opens a [`Pool`], which lends [`Connection`]s and runs [transactions](Pool::transaction); [`failed`] tells
//! what the error of a statement means; [`options`] are the driver's own, for a pool of your own. [`SqlxStore`] is the
//! worked example of [`players`](tidb_connect_core::players). What all drivers share is [`tidb_connect_core`].

mod connection;
mod error;
mod options;
mod players;
mod pool;
mod relay;
mod transaction;

pub use connection::Connection;
pub use error::failed;
pub use options::options;
pub use players::SqlxStore;
pub use pool::{Connector, Pool, connect};
pub use sqlx;
pub use tidb_connect_core::{
    self, Committed, ConnectionConfig, Error, ErrorKind, Outcome, Phase, Result, TransactionError, TransactionOptions,
};
pub use transaction::Transaction;

/// The driver's name, in [`Error::driver`] and [`PlayerStore::driver`](tidb_connect_core::players::PlayerStore::driver).
pub const DRIVER: &str = "sqlx";
