//! The promises of `transaction`, checked on a server.

use std::process::ExitCode;

use tidb_connect_mysql::{DRIVER, Transaction, TransactionError, connect, mysql::prelude::Queryable};
use tidb_connect_testkit::transaction::{self, Ended, Step};
use tokio::task::spawn_blocking;

fn main() -> ExitCode {
    transaction::run(
        DRIVER,
        |config, options, script| {
            Box::pin(async move {
                let work = move || -> Ended {
                    let pool = connect(&config).map_err(TransactionError::Failed)?;
                    pool.transaction_with(&options, |tx| play(&script, tx))
                };
                spawn_blocking(work).await.expect("no panic")
            })
        },
        |config, options, script| {
            Box::pin(async move {
                let work = move || -> Ended {
                    let pool = connect(&config).map_err(TransactionError::Failed)?;
                    let connection = pool.get().map_err(TransactionError::Failed)?;
                    connection.transaction(&options, |tx| play(&script, tx)).1
                };
                spawn_blocking(work).await.expect("no panic")
            })
        },
    )
}

fn play(script: &[Step], tx: &mut Transaction<'_>) -> Result<(), String> {
    for step in script {
        match step {
            Step::Run(sql) => tx.query_drop(*sql).map_err(|error| error.to_string())?,
            Step::Ignore(sql) => drop(tx.query_drop(*sql)),
            Step::Meanwhile(act) => act(),
            Step::Fail(text) => return Err((*text).to_owned()),
        }
    }
    Ok(())
}
