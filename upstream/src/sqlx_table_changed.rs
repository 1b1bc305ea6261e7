//! sqlx: after a column is added in front, a cached `SELECT *` that is read by name gives the value of another column.
//!
//! ```toml
//! sqlx = { version = "=0.8.6", features = ["mysql", "runtime-tokio"] }
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, process::ExitCode};

use sqlx::{Connection, MySqlConnection, Row};

const SELECT: &str = "SELECT * FROM table_changed";

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let (mut program, mut migration) = (MySqlConnection::connect(&url).await?, MySqlConnection::connect(&url).await?);
    sqlx::raw_sql("DROP TABLE IF EXISTS table_changed").execute(&mut migration).await?;
    sqlx::raw_sql("CREATE TABLE table_changed (price INT)").execute(&mut migration).await?;
    sqlx::raw_sql("INSERT INTO table_changed VALUES (100)").execute(&mut migration).await?;

    let before: i32 = sqlx::query(SELECT).fetch_one(&mut program).await?.try_get("price")?;
    let change = "ALTER TABLE table_changed ADD COLUMN discount INT NOT NULL DEFAULT 7 FIRST";
    sqlx::raw_sql(change).execute(&mut migration).await?;
    let after: i32 = sqlx::query(SELECT).fetch_one(&mut program).await?.try_get("price")?;
    sqlx::raw_sql("DROP TABLE table_changed").execute(&mut migration).await?;

    println!("expected: `price` is {before}, before and after another column is added");
    println!("happens:  it is {after} after");
    Ok(if after == before { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
