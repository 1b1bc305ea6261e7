//! Connecting a Rust program to TiDB.
mod connection;
mod error;
mod outcome;
pub use connection::{ConnectionConfig, Deployment, Password, TlsMode, pool};
pub use error::{BoxError, Error, ErrorKind, Fault, Result, ServerError, TlsFault};
pub use outcome::{Outcome, Phase, classify};
