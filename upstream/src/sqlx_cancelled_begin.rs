//! sqlx: a `BEGIN` that is given up leaves its transaction open, and the pool hands the connection on.
//!
//! ```toml
//! sqlx = { version = "=0.8.6", features = ["mysql", "runtime-tokio"] }
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, future::ready, process::ExitCode};

use sqlx::{Connection, MySqlConnection, mysql::MySqlPoolOptions};

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut other = MySqlConnection::connect(&url).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS cancelled_begin (id INT)").execute(&mut other).await?;
    sqlx::query("DELETE FROM cancelled_begin").execute(&mut other).await?;
    let pool = MySqlPoolOptions::new().max_connections(1).connect(&url).await?;

    // The first poll sends BEGIN; then the caller is gone, as after a time-out or when its client hangs up. Where the
    // answer is there at once, there was nothing to give up.
    let mut answered = true;
    while answered {
        let mut connection = pool.acquire().await?;
        answered = tokio::select! {
            biased;
            transaction = connection.begin() => { transaction?.rollback().await?; true }
            () = ready(()) => false,
        };
    }

    // The connection's next user knows of no transaction.
    let inserted = sqlx::query("INSERT INTO cancelled_begin VALUES (1)").execute(&pool).await?.rows_affected();
    let seen: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM cancelled_begin").fetch_one(&mut other).await?;
    pool.acquire().await?.close().await?;
    let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM cancelled_begin").fetch_one(&mut other).await?;
    sqlx::query("DROP TABLE cancelled_begin").execute(&mut other).await?;

    println!(
        "expected: an INSERT on the connection is committed: 1 inserted, 1 seen by others, 1 left when the pool is closed"
    );
    println!("happens:  {inserted} inserted, {seen} seen by others, {left} left when it is closed");
    Ok(if seen == 1 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
