//! mysql: when a connection that is given back proves broken, nobody is woken who could open another in its place.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{env, error::Error, process::ExitCode, sync::mpsc, thread, time::Duration};

use mysql::{Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, prelude::Queryable};

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let one = PoolConstraints::new(1, 1).ok_or("no pool of one connection")?;
    let options = OptsBuilder::from_opts(Opts::from_url(&url)?)
        .prefer_socket(false)
        .read_timeout(Some(Duration::from_millis(300)))
        .pool_opts(PoolOpts::default().with_constraints(one));
    let pool = Pool::new(options)?;

    let mut connection = pool.get_conn()?;
    let (got, waited) = mpsc::channel();
    let waiter = pool.clone();
    thread::spawn(move || got.send(waiter.get_conn().map(drop)));
    thread::sleep(Duration::from_millis(300));
    // Its answer comes too late for the statement, and for the reset when the connection is given back.
    let slow = connection.query_drop("DO SLEEP(5)");
    drop(connection);

    let waited = waited.recv_timeout(Duration::from_secs(2));
    println!("expected: who waits for a connection gets a new one in place of the broken one ({slow:?})");
    match &waited {
        Ok(result) => println!("happens:  {result:?}"),
        Err(_) => {
            println!("happens:  still waiting after 2 s, and a new caller gets one: {:?}", pool.get_conn().is_ok())
        }
    }
    Ok(if waited.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
