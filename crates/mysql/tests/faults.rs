//! What the driver crate makes of every fault, wherever it strikes, checked on a server.

mod script;

use std::{process::ExitCode, sync::Arc};

use tidb_connect_mysql::{DRIVER, MysqlStore, Pool};
use tidb_connect_testkit::faults::{self, Tested};
use tokio::task::spawn_blocking;

fn main() -> ExitCode {
    let tested = Tested {
        pool: Pool::new,
        store: |pool| Arc::new(MysqlStore::new(pool)),
        transaction: |pool: Pool, options, steps| {
            Box::pin(async move {
                let work = move || pool.transaction_with(&options, |tx| script::play(&steps, tx));
                spawn_blocking(work).await.expect("no panic")
            })
        },
    };
    faults::run(DRIVER, tested)
}
