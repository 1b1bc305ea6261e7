//! Starts a throw-away TiDB, MariaDB or MySQL server on loopback, and never leaves anything behind.
//!
//! [`Playground::find`] looks for a server program on this machine, [`Playground::start`] runs it on a free port of
//! 127.0.0.1 with all its files in one temporary directory, and dropping the [`Server`] kills it and removes the
//! directory. The user is `root` with an empty password, and a database named `test` exists.
//!
//! The server and its directory also go when the program cannot clean up: after a panic that aborts, Ctrl-C,
//! [`std::process::exit`], or SIGKILL. A server kept in a `static`, which Rust never drops, is therefore fine.
//!
//! Every user of this machine can log in to the server while it runs: keep nothing in it that matters.
//!
//! Unix only: the crate relies on process groups and `sh`.
//!
//! ```no_run
//! use tidb_connect_playground::Playground;
//!
//! # fn main() -> Result<(), tidb_connect_playground::Error> {
//! let found = Playground::find()?;
//! println!("starting {} from {}", found.kind(), found.path().display());
//! let server = found.start()?;
//! println!("{} {} answers on {}:{}", server.kind(), server.version(), server.host(), server.port());
//! server.stop()
//! # }
//! ```

mod error;
mod find;
mod greeting;
mod install;
mod sandbox;
mod server;

pub use error::Error;
pub use find::{Kind, Playground};
pub use greeting::running_tidb;
pub use server::Server;
