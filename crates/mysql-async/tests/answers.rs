//! What a transaction makes of answers that break off, in every form, checked on stand-ins.

mod forms;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use tidb_connect_mysql_async::{DRIVER, Pool, Transaction, mysql_async::prelude::Queryable};
use tidb_connect_testkit::answers::{self, AFTER, BEFORE, Came, Swallow, TESTED};

fn main() -> ExitCode {
    let run: answers::Run = |config, options, form, swallow| {
        Box::pin(async move {
            let pool = Pool::new(&config).expect("a configuration");
            let told = &AtomicBool::new(false);
            let work = |mut tx: Transaction| async move {
                let text = |error: tidb_connect_mysql_async::mysql_async::Error| error.to_string();
                tx.query_drop(BEFORE).await.map_err(text)?;
                let met = forms::play(form, TESTED, &mut tx).await;
                told.store(met.is_err(), Ordering::Relaxed);
                if swallow == Swallow::No {
                    met.map_err(text)?;
                }
                tx.query_drop(AFTER).await.map_err(text)
            };
            let ended = pool.transaction_with(&options, work).await;
            Came { ended, told: told.load(Ordering::Relaxed) }
        })
    };
    answers::suite(DRIVER, run, forms::FORMS).run()
}
