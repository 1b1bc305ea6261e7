//! Conformance checks for any [`PlayerStore`](tidb_connect_core::players::PlayerStore).
//!
//! The contract is written on the trait; the [`checks`] test its promises, each as a named test. To run them on a store
//! of your own, give its crate a test target without the usual harness,
//!
//! ```toml
//! [[test]]
//! name = "conformance"
//! harness = false
//! ```
//!
//! and in `tests/conformance.rs` say how the store is opened:
//!
//! ```no_run
//! # mod your_crate {
//! #     use tidb_connect_core::{ConnectionConfig, Result, players::MemoryStore};
//! #     pub struct YourStore;
//! #     impl YourStore {
//! #         pub async fn connect(_: &ConnectionConfig) -> Result<MemoryStore> {
//! #             Ok(MemoryStore::new())
//! #         }
//! #     }
//! # }
//! use std::process::ExitCode;
//!
//! use tidb_connect_testkit::Suite;
//! use your_crate::YourStore;
//!
//! fn main() -> ExitCode {
//!     Suite::on_server("yours", |config| async move { YourStore::connect(&config).await })
//!         .with_difference("ids_are_never_reused", "ids come from MAX(id) + 1")
//!         .run()
//! }
//! ```
//!
//! `cargo test` then runs `yours::create_refuses_a_taken_name` and the others; filters, `--list` and `--test-threads`
//! work as usual. The server is the one that the environment names, `TIDB_HOST` and `TIDB_PORT` or another of the
//! [`Settings`](tidb_connect_core::Settings); without one every test fails. Each test has a database of its own, which
//! is dropped afterwards. A store that needs no server uses [`Suite::in_process`].
//!
//! One check makes random calls, others with every run, for about 3 seconds. What it finds it shows as the fewest calls,
//! with a seed: `PROPTEST_RNG_SEED=<seed> cargo test agrees_with_the_model` makes the same calls again.
//! `PROPTEST_CASES=5000` tries so many sequences of calls instead, for up to 80 seconds.
//!
//! The drivers of this workspace have their pools checked as well, and that a dropped call leaves them clean: [`pool`];
//! what they make of every fault, wherever it strikes: [`faults`]; and that the same holds for faults at random: [`chaos`].

pub mod authority;
pub mod chaos;
pub mod checks;
mod failure;
pub mod faults;
pub mod hostile;
pub mod pool;
pub mod refusals;
pub mod round_trips;
mod server;
mod stand_in;
mod suite;
pub mod telemetry;
pub mod tls;
pub mod transaction;

pub use failure::Failure;
pub use server::Server;
pub use stand_in::StandInSuite;
pub use suite::{Store, Suite};
