//! The tidb-connect program.
fn main() {}
