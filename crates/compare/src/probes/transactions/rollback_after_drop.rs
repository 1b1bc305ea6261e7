use sqlx::{Connection as _, Executor as _};
use tokio::runtime::Handle;

use super::{TABLE, UPDATE, is_locked};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A transaction is dropped without commit, and its connection is kept: when is it rolled back?",
    meaning: "Until it is, others wait for the rows that it has locked: end transactions yourself, also failed ones.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    // Its transactions take the connection, and do not outlive it.
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (dropped, used) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let mut transaction = connection.begin().await?;
            transaction.execute(UPDATE).await?;
            drop(transaction);
            let dropped = is_locked(&lab).await?;
            connection.execute("SELECT 1").await?;
            (dropped, is_locked(&lab).await?)
        }
        Driver::Mysql => {
            let inner = lab.clone();
            lab.mysql(move |connection| {
                let mut transaction = connection.start_transaction(mysql::TxOpts::default())?;
                transaction.query_drop(UPDATE)?;
                drop(transaction);
                let dropped = Handle::current().block_on(is_locked(&inner))?;
                connection.query_drop("SELECT 1")?;
                Ok((dropped, Handle::current().block_on(is_locked(&inner))?))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let mut transaction = connection.start_transaction(mysql_async::TxOpts::default()).await?;
            transaction.query_drop(UPDATE).await?;
            drop(transaction);
            let dropped = is_locked(&lab).await?;
            connection.query_drop("SELECT 1").await?;
            (dropped, is_locked(&lab).await?)
        }
    };
    Ok(Answer::new(match (dropped, used) {
        (false, _) => "at once",
        (true, false) => "before the connection's next statement",
        (true, true) => "not even before the connection's next statement",
    }))
}
