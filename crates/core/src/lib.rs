#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! [`ConnectionConfig`] and [`Settings`]; [`Error`] with its [`kind`](Error::kind) and [`outcome`](Error::outcome); the rules
//! of the [`pool`] and of a [`transaction`]; and [`players`], with [`PlayerStore`](players::PlayerStore).
//!
//! # Watching it
//!
//! What goes on is told to [`tracing`], with the target `tidb_connect`: spans at the level INFO, events at DEBUG. Names of
//! attributes are those of OpenTelemetry's
//! [conventions for MySQL](https://opentelemetry.io/docs/specs/semconv/db/mysql/); no span and no event holds a value, a
//! user's name, a password or an error's text. Where nobody listens, a call site costs one look at a static.
//!
//! | span | around | attributes |
//! |---|---|---|
//! | `find players` and the like: the operation, and the table where there is one | each call of a [`Traced`](players::Traced) store | `otel.kind` (`client`), `db.system.name` (`mysql`), `db.namespace` (the configured database), `db.collection.name`, `db.operation.name` (the method), `server.address`, `server.port`; and as below |
//! | `transaction` | each [`transaction`] of a driver crate, with all its attempts | `db.system.name`, `attempts`, `outcome` (`committed`, `aborted`, `exhausted`, `stopped`, `ended`, `failed`, `unknown`: see [`TransactionError`]) |
//!
//! | attribute | only where | what |
//! |---|---|---|
//! | `db.operation.batch.size` | `create_many`, but of one player | how many players |
//! | `db.response.returned_rows` | `find`, `find_by_name`, `list` that succeed | how many rows; not a stable name yet |
//! | `otel.status_code` | failure, a refusal included | `ERROR` |
//! | `error.type` | failure | the [`ErrorKind`]; `_OTHER` for the error of a transaction's own closure |
//! | `db.response.status_code` | failure that the server reported | its error number |
//!
//! | event | when | fields |
//! |---|---|---|
//! | `waited for a connection` | a caller got no idle connection at once, and the wait is over | `waited_ms`, `served` (whether it got one) |
//! | `connection opened` | the login is done | `took_ms` |
//! | `connection found dead` | it was idle, and is closed | `probed` (whether it was asked, or given up with another) |
//! | `connection recycled` | it was idle and too old, and is closed | `age_ms` |
//! | `trying again` | a statement or a transaction met what allows another attempt | `error.type`, `attempt` (the one to come, from 2), `pause_ms` |
//!
//! An event is told within the span of the call or the transaction that it happened for.

mod codes;
mod connection;
mod error;
mod outcome;
pub mod players;
mod retry;
mod statement;
mod telemetry;
pub mod transaction;

pub use connection::{ConnectionConfig, Deployment, FoundSetting, Password, Setting, Settings, TlsMode, pool};
pub use error::{BoxError, Error, ErrorKind, Fault, NotSent, Result, ServerError, TlsFault, TransactionEnded};
pub use outcome::{Outcome, Phase, classify};
pub use retry::{Retry, RetryPolicy};
pub use transaction::{Committed, LastFailure, TransactionError, TransactionMode, TransactionOptions};
