//! mysql_async: a `Statement` runs on a connection that has not prepared it, and is another statement there.
//!
//! ```toml
//! mysql_async = "=0.37.1"
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, process::ExitCode};

use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable};

const PREPARED: &str = "SELECT 'the statement that was prepared', ?";
const OTHER: &str = "SELECT 'another statement', ?";

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let options = OptsBuilder::from_opts(Opts::from_url(&url)?).prefer_socket(false);
    let (mut first, mut second) = (Conn::new(options.clone()).await?, Conn::new(options).await?);
    let (mut statement, mut other) = (first.prep(PREPARED).await?, second.prep(OTHER).await?);
    // Each connection counts for itself; some servers go on where an ended connection stopped.
    while statement.id() < other.id() {
        first.close(statement).await?;
        statement = first.prep(PREPARED).await?;
    }
    while other.id() < statement.id() {
        second.close(other).await?;
        other = second.prep(OTHER).await?;
    }
    let ran: mysql_async::Result<Option<(String, i64)>> = second.exec_first(&statement, (1,)).await;

    println!("expected: an error, or the statement that was prepared");
    println!("happens:  {ran:?}");
    let another = matches!(&ran, Ok(Some((name, _))) if PREPARED.find(name).is_none());
    Ok(if another { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
