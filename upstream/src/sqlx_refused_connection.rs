//! sqlx: where nothing listens, the pool tries again until `acquire_timeout`, and then says that the pool timed out.
//!
//! ```toml
//! sqlx = { version = "=0.8.6", features = ["mysql", "runtime-tokio"] }
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{
    error::Error,
    net::TcpListener,
    process::ExitCode,
    time::{Duration, Instant},
};

use sqlx::{Connection, MySqlConnection, mysql::MySqlPoolOptions};

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // Bound once and closed again: nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let url = format!("mysql://root@127.0.0.1:{port}/test");
    let Err(refused) = MySqlConnection::connect(&url).await else { return Err("somebody listens".into()) };

    let started = Instant::now();
    let opened = MySqlPoolOptions::new().acquire_timeout(Duration::from_secs(2)).connect(&url).await;
    let Err(error) = opened else { return Err("somebody listens".into()) };

    println!("expected: a pool says why it has no connection, as a connection does: {refused}");
    println!("happens:  after {:.1} s: {error}", started.elapsed().as_secs_f32());
    Ok(if matches!(error, sqlx::Error::PoolTimedOut) { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
