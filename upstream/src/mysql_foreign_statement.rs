//! mysql: a `Statement` runs on a connection that has not prepared it, and is another statement there.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{env, error::Error, process::ExitCode};

use mysql::{Conn, Opts, OptsBuilder, prelude::Queryable};

const PREPARED: &str = "SELECT 'the statement that was prepared', ?";
const OTHER: &str = "SELECT 'another statement', ?";

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let options = OptsBuilder::from_opts(Opts::from_url(&url)?).prefer_socket(false);
    let (mut first, mut second) = (Conn::new(options.clone())?, Conn::new(options)?);
    let (mut statement, mut other) = (first.prep(PREPARED)?, second.prep(OTHER)?);
    // Each connection counts for itself; some servers go on where an ended connection stopped.
    while statement.id() < other.id() {
        first.close(statement)?;
        statement = first.prep(PREPARED)?;
    }
    while other.id() < statement.id() {
        second.close(other)?;
        other = second.prep(OTHER)?;
    }
    let ran: mysql::Result<Option<(String, i64)>> = second.exec_first(&statement, (1,));

    println!("expected: an error, or the statement that was prepared");
    println!("happens:  {ran:?}");
    let another = matches!(&ran, Ok(Some((name, _))) if PREPARED.find(name).is_none());
    Ok(if another { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
