//! What a transaction makes of answers that break off, in every form, checked on stand-ins.

mod forms;

use std::{cell::Cell, process::ExitCode};

use tidb_connect_sqlx::{
    ConnectionConfig, DRIVER, Pool, Transaction, TransactionOptions,
    sqlx::{self, Executor},
};
use tidb_connect_testkit::answers::{self, AFTER, BEFORE, Came, Swallow, TESTED};
use tokio::{runtime::Handle, task::spawn_blocking};

async fn run(config: ConnectionConfig, options: TransactionOptions, form: &'static str, swallow: Swallow) -> Came {
    let (pool, told) = (Pool::new(&config).expect("a configuration"), &Cell::new(false));
    let text = |error: sqlx::Error| error.to_string();
    let work = |mut tx: Transaction| async move {
        tx.execute(BEFORE).await.map_err(text)?;
        let met = forms::play!(form, TESTED, &mut tx);
        told.set(met.is_err());
        if swallow == Swallow::No {
            met.map_err(text)?;
        }
        tx.execute(AFTER).await.map(drop).map_err(text)
    };
    Came { ended: pool.transaction_with(&options, work).await, told: told.get() }
}

fn main() -> ExitCode {
    // The compiler cannot tell that a future with all these forms in it is `Send`, so it stays on one thread.
    let run: answers::Run = |config, options, form, swallow| {
        let on_thread = move || Handle::current().block_on(run(config, options, form, swallow));
        Box::pin(async move { spawn_blocking(on_thread).await.expect("no panic") })
    };
    answers::suite(DRIVER, run, forms::FORMS).run()
}
