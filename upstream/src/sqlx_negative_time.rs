//! sqlx: a negative TIME of less than an hour, read as text, is positive.
//!
//! ```toml
//! sqlx = { version = "=0.8.6", features = ["mysql", "runtime-tokio"] }
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, process::ExitCode};

use sqlx::{Connection, Executor, MySqlConnection, Row, mysql::types::MySqlTime};

const SELECT: &str = "SELECT CAST('-00:30:00' AS TIME)";

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut connection = MySqlConnection::connect(&url).await?;
    let prepared: MySqlTime = sqlx::query(SELECT).fetch_one(&mut connection).await?.try_get(0)?;
    let text: MySqlTime = connection.fetch_one(SELECT).await?.try_get(0)?;

    println!("expected: -00:30:00 is {prepared}, as when it is read by a prepared statement");
    println!("happens:  as text it is {text}");
    Ok(if text == prepared { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
