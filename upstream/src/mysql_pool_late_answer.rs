//! mysql: after a read time-out the pool takes the late answer for that of its own command, so that the next user gets an
//! answer that is not theirs; without reset and check everybody after them gets that of the user before.
//!
//! ```toml
//! mysql = "=28.0.4"
//! ```

use std::{env, error::Error, process::ExitCode, thread, time::Duration};

use mysql::{Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, prelude::Queryable};

pub fn main() -> Result<ExitCode, Box<dyn Error>> {
    println!("expected: a connection that has timed out is not used again: then SELECT 1, 2, 3 are Ok(Some(1)), …");
    let mut right = true;
    for (how, options) in [
        ("by default", PoolOpts::new()),
        ("without reset and check", PoolOpts::new().with_reset_connection(false).with_check_health(false)),
    ] {
        let (slow, answers) = answers(options)?;
        println!("happens:  {how}: {slow:?}, then {answers:?}");
        right &= answers.iter().zip(1..).all(|(answer, n)| matches!(answer, Ok(Some(answer)) if *answer == n));
    }
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

type Answers = (mysql::Result<()>, Vec<mysql::Result<Option<u32>>>);

/// The answers to a statement that times out, and to `SELECT 1`, `2` and `3` on the same pool.
fn answers(pool_options: PoolOpts) -> Result<Answers, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let one = PoolConstraints::new(1, 1).ok_or("no pool of one connection")?;
    let options = OptsBuilder::from_opts(Opts::from_url(&url)?)
        .prefer_socket(false)
        .read_timeout(Some(Duration::from_millis(500)))
        .pool_opts(pool_options.with_constraints(one));
    let pool = Pool::new(options)?;

    // Answered after the time-out, and within that of the reset.
    let slow = pool.get_conn()?.query_drop("DO SLEEP(0.75)");
    thread::sleep(Duration::from_millis(500));
    let answers = (1..=3).map(|n| pool.get_conn()?.query_first(format!("SELECT {n}"))).collect();
    Ok((slow, answers))
}
