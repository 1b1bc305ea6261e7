//! What the driver crate makes of every fault, wherever it strikes, checked on a server.

mod script;

use std::{process::ExitCode, sync::Arc};

use tidb_connect_mysql_async::{DRIVER, MysqlAsyncStore, Pool};
use tidb_connect_testkit::faults::{self, Tested};

fn main() -> ExitCode {
    let tested = Tested {
        pool: Pool::new,
        store: |pool| Arc::new(MysqlAsyncStore::new(pool)),
        transaction: |pool, options, steps| {
            Box::pin(async move {
                let steps = &steps;
                pool.transaction_with(&options, |mut tx| async move { script::play(steps, &mut tx).await }).await
            })
        },
    };
    faults::run(DRIVER, tested)
}
