//! concurrent-mysql-async
fn main() {}
