//! own-table-sqlx
fn main() {}
