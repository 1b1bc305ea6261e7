//! The promises of `Pool::transaction`, checked on a server.

use std::process::ExitCode;

use tidb_connect_sqlx::{DRIVER, TransactionError, connect, sqlx::Executor};
use tidb_connect_testkit::transaction::{self, Step};
use tokio::task::JoinSet;

fn main() -> ExitCode {
    transaction::run(DRIVER, |config, options, script| {
        Box::pin(async move {
            let pool = connect(&config).await.map_err(TransactionError::Failed)?;
            // The closure borrows a local and runs inside a spawned task: both must keep compiling.
            let mut task = JoinSet::new();
            task.spawn(async move {
                let script = &script;
                pool.transaction_with(&options, |mut tx| async move {
                    for step in script.iter() {
                        match step {
                            Step::Run(sql) => {
                                tx.execute(*sql).await.map_err(|error| error.to_string())?;
                            }
                            Step::Ignore(sql) => drop(tx.execute(*sql).await),
                            Step::Meanwhile(act) => act(),
                            Step::Fail(text) => return Err((*text).to_owned()),
                        }
                    }
                    Ok(())
                })
                .await
            });
            task.join_next().await.expect("one task").expect("no panic")
        })
    })
}
