//! The steps of a transaction, played through the driver.

use tidb_connect_mysql_async::{Transaction, mysql_async::prelude::Queryable};
use tidb_connect_testkit::transaction::Step;

pub(crate) async fn play(script: &[Step], tx: &mut Transaction) -> Result<(), String> {
    for step in script {
        match step {
            Step::Run(sql) => tx.query_drop(*sql).await.map_err(|error| error.to_string())?,
            Step::Ignore(sql) => drop(tx.query_drop(*sql).await),
            Step::Meanwhile(act) => act(),
            Step::Fail(text) => return Err((*text).to_owned()),
        }
    }
    Ok(())
}
