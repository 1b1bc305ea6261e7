//! What the Rust MySQL drivers really do: each question is put to every driver, on a server, and what it does is observed.
//!
//! A [`Comparison`] makes the observations of a [`Selection`], each in an empty database and behind a proxy that sees its
//! packets. A [`Run`] is what it has found; it is kept as JSON, and [`report`] shows it. Nothing in a run is written by hand
//! but the questions and what their answers mean.
//!
//! A probe is a file of [`probes/`](https://github.com/tidb-connect/tidb-connect/tree/main/crates/compare/src/probes).

mod comparison;
mod driver;
mod lab;
mod probe;
mod probes;
mod run;
mod selection;

pub use comparison::{Comparison, Progress};
pub use driver::Driver;
pub use run::{Answers, Product, Run, Server};
pub use selection::Selection;
