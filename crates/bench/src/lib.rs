//! How fast the Rust MySQL drivers are, through this workspace's crates and bare, beside one another in one run.
//!
//! A [`Bench`] puts the load of its [`Settings`] on a server, in a database of its own. Who is measured is a [`Subject`]:
//! one of this workspace's stores, or the bare driver with the same statements. At each [`Point`] of the settings all
//! subjects take turns in short rounds (A B C, A B C, …), so that what else the machine does hits all alike. A [`Run`] is
//! what was found; it is kept as JSON, and says of each subject how much longer it takes than its bare driver *in the same
//! round*: the median of these ratios, and their range. The times themselves are those of one machine at one moment.
//!
//! In a closed loop each task begins its next operation when its last one has ended, and what is seen is throughput. At a
//! fixed [rate](Settings::rate) operations begin when they are due, whether or not those before them have ended, and their
//! latency is counted from when they were due: a server that stalls for a second has kept all waiting that came in that
//! second, and not just the few that were under way (*coordinated omission*).

mod bench;
mod data;
mod heap;
mod load;
mod run;
mod settings;
mod subject;
mod sweep;
#[cfg(test)]
mod tests;
mod text;

pub use bench::{Bench, Progress};
pub use data::{Load, Operation};
pub use heap::Counting;
pub use run::{Latency, Machine, Measured, Measurement, Ratio, Round, Run};
pub use settings::{Point, Settings, Workload};
pub use subject::{Store, Subject};
pub use sweep::{Dimension, Seen, Sweep};
