//! blocking-mysql
fn main() {}
