//! The steps of a transaction, played through the driver.

use tidb_connect_mysql::{Transaction, mysql::prelude::Queryable};
use tidb_connect_testkit::transaction::Step;

pub(crate) fn play(script: &[Step], tx: &mut Transaction<'_>) -> Result<(), String> {
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
