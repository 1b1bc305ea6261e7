//! Connecting a Rust program to TiDB, with the driver chosen separately.
//!
//! This crate holds what does not depend on a driver. Programs depend on one backend crate, which re-exports this one:
//! `tidb-connect-sqlx`, `tidb-connect-mysql` (blocking) or `tidb-connect-mysql-async`.
//!
//! - For any application: [`ConnectionConfig`] (where the server is), [`Error`] with its [`kind`](Error::kind) and
//!   [`outcome`](Error::outcome), and the [`pool`].
//! - The worked example: [`players`], with the [`PlayerStore`](players::PlayerStore) trait that every backend
//!   implements.

mod connection;
mod error;
mod outcome;
pub mod players;
mod retry;
pub mod transaction;

pub use connection::{ConnectionConfig, Deployment, FoundSetting, Password, Setting, Settings, TlsMode, pool};
pub use error::{BoxError, Error, ErrorKind, Fault, Result, ServerError, TlsFault};
pub use outcome::{Outcome, Phase, classify};
pub use retry::{Retry, RetryPolicy};
pub use transaction::{Committed, LastFailure, TransactionError, TransactionMode, TransactionOptions};
