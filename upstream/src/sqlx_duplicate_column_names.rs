//! sqlx: where two columns have the same name, the name gives the last, without a word.
//!
//! ```toml
//! sqlx = { version = "=0.8.6", features = ["mysql", "runtime-tokio"] }
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, process::ExitCode};

use sqlx::{Connection, MySqlConnection, Row};

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut connection = MySqlConnection::connect(&url).await?;
    let row = sqlx::query("SELECT 'first' AS name, 'second' AS name").fetch_one(&mut connection).await?;
    let name = row.try_get::<String, _>("name");

    println!("expected: an error: `name` could be either; or a word of the documentation about which it is");
    println!("happens:  {name:?}");
    Ok(if name.is_ok() { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
