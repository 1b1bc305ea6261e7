//! sqlx: an empty password is answered with a hash, which servers refuse.
//!
//! ```toml
//! sqlx = { version = "=0.8.6", features = ["mysql", "runtime-tokio"] }
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, process::ExitCode};

use sqlx::{ConnectOptions, Connection, MySqlConnection, mysql::MySqlConnectOptions};

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut admin = MySqlConnection::connect(&url).await?;
    sqlx::raw_sql("CREATE USER IF NOT EXISTS empty_password").execute(&mut admin).await?;

    let server: MySqlConnectOptions = url.parse()?;
    let options = MySqlConnectOptions::new().host(server.get_host()).port(server.get_port()).username("empty_password");
    let without = options.connect().await;
    let with_empty = options.clone().password("").connect().await;
    sqlx::raw_sql("DROP USER empty_password").execute(&mut admin).await?;

    without?;
    println!("expected: .password(\"\") logs in to an account without a password, as no .password() does");
    match with_empty {
        Ok(_) => {
            println!("happens:  it does");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            println!("happens:  {error}");
            Ok(ExitCode::from(2))
        }
    }
}
