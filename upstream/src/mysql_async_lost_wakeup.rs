//! mysql_async: a waiting `get_conn` that is dropped after it was woken takes the wake-up with it, and everybody behind
//! it waits for ever, with a connection idle in the pool.
//!
//! ```toml
//! mysql_async = "=0.37.1"
//! tokio = { version = "1", features = ["full"] }
//! ```

use std::{env, error::Error, future::ready, process::ExitCode, time::Duration};

use mysql_async::{Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, prelude::Queryable};
use tokio::time::{sleep, timeout};

#[tokio::main]
pub async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:4000/test".to_owned());
    let one = PoolConstraints::new(1, 1).ok_or("no pool of one connection")?;
    let options = OptsBuilder::from_opts(Opts::from_url(&url)?)
        .prefer_socket(false)
        .pool_opts(PoolOpts::default().with_constraints(one));
    let pool = Pool::new(options);

    let mut connection = pool.get_conn().await?;
    connection.query_drop("DO 1").await?;
    // Two callers wait for it, the first in a select!, as one whose client may hang up.
    let mut first = Box::pin(pool.get_conn());
    tokio::select! {
        biased;
        _ = &mut first => return Err("there is a second connection".into()),
        () = ready(()) => {}
    }
    let second = tokio::spawn(pool.get_conn());
    sleep(Duration::from_millis(200)).await;
    // The connection comes back, and the first is woken; before it runs again, its client is gone.
    drop(connection);
    sleep(Duration::from_millis(500)).await;
    drop(first);

    // Where they get it, they give it back at once.
    let second = timeout(Duration::from_secs(2), second).await.is_ok();
    let third = timeout(Duration::from_secs(2), pool.get_conn()).await.is_ok();

    println!("expected: the connection in the pool goes to the next who waits");
    println!("happens:  the next {}, and one who comes now {}", outcome(second), outcome(third));
    Ok(if second && third { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn outcome(got: bool) -> &'static str {
    if got { "has it" } else { "still waits after 2 s" }
}
