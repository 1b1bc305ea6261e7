//! mysql_async: the statements of `init` and `setup` are run last to first.
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
    let options = OptsBuilder::from_opts(Opts::from_url(&url)?)
        .prefer_socket(false)
        .init(vec!["SET @init = 'first'", "SET @init = 'second'"])
        .setup(vec!["SET @setup = 'first'", "SET @setup = 'second'"]);
    let mut connection = Conn::new(options).await?;
    let last: Option<(String, String)> = connection.query_first("SELECT @init, @setup").await?;
    connection.disconnect().await?;

    let (init, setup) = last.ok_or("no row")?;
    println!("expected: the statements are run in their order, so that the second is the last");
    println!("happens:  the {init} of init is the last, and the {setup} of setup");
    Ok(if (init.as_str(), setup.as_str()) == ("second", "second") { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
