#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! [`ConnectionConfig`] and [`Settings`]; [`Error`] with its [`kind`](Error::kind) and [`outcome`](Error::outcome); the rules
//! of the [`pool`] and of a [`transaction`]; and [`players`], with [`PlayerStore`](players::PlayerStore).

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
