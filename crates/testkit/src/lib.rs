#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! [`Suite`] runs the [`checks`]. The drivers of this workspace have their pools checked as well, and that a dropped call leaves
//! them clean: [`pool`]; what they make of every fault, wherever it strikes: [`faults`]; and that the same holds for faults at
//! random: [`chaos`].

pub mod answers;
pub mod authority;
pub mod chaos;
pub mod checks;
mod failure;
pub mod faults;
pub mod hostile;
#[cfg(target_os = "linux")]
pub mod network;
pub mod pool;
pub mod refusals;
pub mod returned;
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
