//! sqlx: a statement that gets more values than it has parameters runs with a value that nobody bound.
//!
//! ```toml
//! sqlx = { version = "=0.8.6", features = ["mysql", "runtime-tokio"] }
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, process::ExitCode};

use sqlx::{Connection, MySqlConnection};

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut connection = MySqlConnection::connect(&url).await?;
    let value: sqlx::Result<i64> =
        sqlx::query_scalar("SELECT ?").bind(1_i64).bind(2_i64).fetch_one(&mut connection).await;

    println!("expected: an error: the statement has one parameter and gets two values, 1 and 2");
    println!("happens:  {value:?}");
    Ok(if value.is_ok() { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
