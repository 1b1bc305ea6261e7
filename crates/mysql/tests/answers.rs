//! What a transaction makes of answers that break off, in every form, checked on stand-ins.

mod forms;

use std::process::ExitCode;

use tidb_connect_mysql::{DRIVER, Pool, mysql::prelude::Queryable};
use tidb_connect_testkit::answers::{self, AFTER, BEFORE, Came, Swallow, TESTED};

fn main() -> ExitCode {
    let run: answers::Run = |config, options, form, swallow| {
        Box::pin(async move {
            let pool = Pool::new(&config).expect("a configuration");
            let mut told = false;
            let ended = pool.transaction_with(&options, |tx| {
                let text = |error: tidb_connect_mysql::mysql::Error| error.to_string();
                tx.query_drop(BEFORE).map_err(text)?;
                let met = forms::play(form, TESTED, tx);
                told = met.is_err();
                if swallow == Swallow::No {
                    met.map_err(text)?;
                }
                tx.query_drop(AFTER).map_err(text)
            });
            Came { ended, told }
        })
    };
    answers::suite(DRIVER, run, forms::FORMS).run()
}
