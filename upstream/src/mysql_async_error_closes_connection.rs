//! mysql_async: an error of the caller's, such as a missing parameter, closes the connection and ends its transaction.
//!
//! ```toml
//! mysql_async = "=0.37.1"
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, process::ExitCode};

use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let mut connection = Conn::new(OptsBuilder::from_opts(Opts::from_url(&url)?).prefer_socket(false)).await?;
    connection.query_drop("BEGIN").await?;
    let missing = connection.exec_drop("SELECT ? + ?", (1,)).await;
    let next = connection.query_drop("COMMIT").await;

    println!("expected: an error, before anything is sent, after which the connection goes on");
    println!("happens:  {missing:?}, and then {next:?}");
    Ok(if missing.is_err() && next.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
