//! The steps of a transaction, played through the driver.

use tidb_connect_sqlx::{Transaction, sqlx::Executor};
use tidb_connect_testkit::transaction::Step;

pub(crate) async fn play(script: &[Step], tx: &mut Transaction) -> Result<(), String> {
    for step in script {
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
}
