//! mysql_async: the statement cache closes a statement whose handle the program still holds.
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
    let kept = connection.prep("SELECT 'kept'").await?;
    for number in 0..40 {
        connection.exec_drop(format!("SELECT {number}"), ()).await?;
    }
    let run = connection.exec_drop(&kept, ()).await;

    println!("expected: a statement can be run while the program holds its handle");
    println!("happens:  after 40 others, with a cache of its default size: {run:?}");
    Ok(if run.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
