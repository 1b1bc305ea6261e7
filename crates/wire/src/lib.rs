//! A protocol-aware MySQL proxy that counts round trips and causes faults, for tests and comparisons.
//!
//! A [`Proxy`] stands between a client and a MySQL-compatible server on the loopback interface. It passes every byte on
//! at once and unchanged, and keeps a [`Report`]: how many round trips each connection made, and which commands it sent.
//!
//! A *round trip* is one burst of client bytes that follows server bytes. The login is the first: the server's greeting
//! comes before it. Commands sent without waiting for the server in between share one round trip, and a `COM_QUIT` is one
//! more when the server spoke last, although nobody waits for its answer.
//!
//! Faults are caused from outside: [`Proxy::hold`] makes the network go silent until [`Proxy::release`], [`Proxy::cut`]
//! closes what is open, and [`Proxy::withhold_answer_to`] lets a statement be done and its client not be told.
//!
//! ```no_run
//! use tidb_connect_wire::Proxy;
//!
//! # fn main() -> std::io::Result<()> {
//! let proxy = Proxy::start(([127, 0, 0, 1], 4000).into())?;
//! // Connect a driver to `proxy.addr()`, use it, close it.
//! let report = proxy.stop();
//! assert_eq!(report.round_trips(), 3);
//! # Ok(())
//! # }
//! ```

mod command;
mod greeting;
mod packet;
mod protocol;
mod proxy;
mod report;

pub use command::{Command, CommandKind, MAX_TEXT_LEN};
pub use greeting::{Greeting, Hello, tls_request};
pub use proxy::Proxy;
pub use report::{ConnectionReport, Report};
