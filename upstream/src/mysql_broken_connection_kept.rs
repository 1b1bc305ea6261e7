//! mysql: without a reset and without a check, the pool keeps a connection that is lost, and gives it out for ever.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{env, error::Error, process::ExitCode, thread, time::Duration};

use mysql::{Conn, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, prelude::Queryable};

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let one = PoolConstraints::new(1, 1).ok_or("no pool of one connection")?;
    let options = OptsBuilder::from_opts(Opts::from_url(&url)?)
        .prefer_socket(false)
        .pool_opts(PoolOpts::default().with_constraints(one).with_reset_connection(false).with_check_health(false));
    let pool = Pool::new(options.clone())?;

    let id = pool.get_conn()?.connection_id();
    Conn::new(options)?.query_drop(format!("KILL {id}"))?;
    thread::sleep(Duration::from_millis(500));
    let statements: Vec<_> = (1..=5).map(|_| pool.get_conn()?.query_drop("DO 1")).collect();

    println!("expected: one statement fails on the connection that was lost, and the next have another");
    println!("happens:  {statements:?}");
    Ok(if statements.last().is_some_and(Result::is_ok) { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
