use sqlx::{Connection as _, Executor as _};

use super::{INSERT, TABLE, told};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A read-only transaction is begun, and writes: what does the program get?",
    meaning: "TiDB refuses it unless tidb_enable_noop_functions is on: then it takes it, and lets it write.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    // It has no settings for it.
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    // How it begins, and how the write in it ends.
    let (begun, written): (Result<(), BoxError>, Result<(), BoxError>) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            match connection.begin_with("START TRANSACTION READ ONLY").await {
                Err(error) => (Err(error.into()), Ok(())),
                Ok(mut transaction) => (Ok(()), transaction.execute(INSERT).await.map(drop).map_err(BoxError::from)),
            }
        }
        Driver::Mysql => {
            let options = mysql::TxOpts::default().set_access_mode(Some(mysql::AccessMode::ReadOnly));
            let work = move |connection: &mut mysql::Conn| {
                Ok(match connection.start_transaction(options) {
                    Err(error) => (Err(error.into()), Ok(())),
                    Ok(mut transaction) => (Ok(()), transaction.query_drop(INSERT).map_err(BoxError::from)),
                })
            };
            lab.mysql(work).await?
        }
        Driver::MysqlAsync => {
            let mut options = mysql_async::TxOpts::default();
            options.with_readonly(true);
            let mut connection = lab.mysql_async().await?;
            match connection.start_transaction(options).await {
                Err(error) => (Err(error.into()), Ok(())),
                Ok(mut transaction) => (Ok(()), transaction.query_drop(INSERT).await.map_err(BoxError::from)),
            }
        }
    };
    Ok(match (begun, written) {
        (Err(error), _) => Answer::new(format!("to begin it: {}", told(&error))).with(error),
        (_, Err(error)) => Answer::new(format!("to write in it: {}", told(&error))).with(error),
        _ => Answer::new("nothing: it may write"),
    })
}
