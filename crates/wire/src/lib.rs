//! A protocol-aware MySQL proxy that counts round trips and causes faults, and a server that says what a script tells it
//! to: for tests and comparisons.
//!
//! A [`Proxy`] stands between a client and a MySQL-compatible server on the loopback interface. It passes every byte on
//! at once and unchanged, and keeps a [`Report`]: how many round trips each connection made, and which commands it sent.
//!
//! A *round trip* is one burst of client bytes that follows server bytes. The login is the first: the server's greeting
//! comes before it. Commands sent without waiting for the server in between share one round trip, and a `COM_QUIT` is one
//! more when the server spoke last, although nobody waits for its answer.
//!
//! It causes [`Fault`]s: [`Proxy::arm`] lets one strike at a [`Point`] of the protocol, such as the answer to a `COMMIT`.
//! From outside, whatever is under way, [`Proxy::hold`] makes the network go silent until [`Proxy::release`], and
//! [`Proxy::cut`] closes what is open.
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
//!
//! A [`Link`] adds a round-trip time, and nothing else.
//!
//! What no server of one's own can be made to say, a [`StandIn`] says: it follows a [`Script`] of [`Answer`]s, such as the
//! [`refusals`] of TiDB Cloud's gateway, and keeps all that its clients send.
//!
//! ```no_run
//! use tidb_connect_wire::{Answer, Script, StandIn, refusals};
//!
//! # fn main() -> std::io::Result<()> {
//! let exhausted = StandIn::start(Script::new().on_login(Answer::Error(refusals::QUOTA_EXHAUSTED)))?;
//! // Connect a driver to `exhausted.addr()`.
//! assert!(exhausted.visits()[0].login);
//! # Ok(())
//! # }
//! ```

mod background;
mod command;
mod fault;
mod greeting;
mod link;
mod packet;
mod protocol;
mod proxy;
pub mod refusals;
mod relay;
mod report;
mod script;
mod session;
mod stand_in;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use command::{Command, CommandKind, MAX_TEXT_LEN};
pub use fault::{Fault, Point};
pub use greeting::{Greeting, Hello, tls_request};
pub use link::Link;
pub use proxy::Proxy;
pub use refusals::Refusal;
pub use report::{ConnectionReport, Report};
pub use script::{Answer, Break, Place, Script, Then};
pub use stand_in::{StandIn, Visit};

/// Locks what no panic leaves half-changed in a way that matters to a count.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
