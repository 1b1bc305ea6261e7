//! What the Rust MySQL drivers really do: each question is put to every driver, on a server, and what it does is observed.
//!
//! A [`Comparison`] makes the observations of a [`Selection`], each in an empty database and behind a proxy that sees its
//! packets. A [`Run`] is what it has found; it is kept as JSON, and a [`Report`] shows it. Nothing in a run is written by hand
//! but the questions and what their answers mean.
//!
//! A probe is a file of [`probes/`](https://github.com/tidb-connect/tidb-connect/tree/main/crates/compare/src/probes).

mod changes;
mod comparison;
mod costs;
mod driver;
mod lab;
mod opinion;
mod probe;
mod probes;
mod report;
mod run;
mod selection;
#[cfg(test)]
mod tests;

pub use changes::{Change, Changes};
pub use comparison::{Comparison, Progress};
pub use costs::{COST_PROGRAMS, Cost, Costs, measure_costs};
pub use driver::Driver;
pub use report::Report;
pub use run::{Answers, Product, Run, Server};
pub use selection::Selection;
