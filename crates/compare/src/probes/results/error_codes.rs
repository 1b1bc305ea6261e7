use super::errors::{Failure, failure};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A row is there already: what do `code` and the error's other fields say?",
    meaning: "What to retry on TiDB is told by the number; SQLSTATE is HY000 for most of its errors.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (text, error) = match failure(driver, &lab, "INSERT INTO t VALUES (1)").await? {
        Failure::Sqlx(error) => {
            let database = error.as_database_error().ok_or("the error is not the server's")?;
            let number = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|error| error.number());
            let number = number.ok_or("the error is not MySQL's")?;
            (
                format!("code {:?}, number {number} after a downcast", database.code().unwrap_or_default()),
                error.to_string(),
            )
        }
        Failure::Mysql(mysql::Error::MySqlError(error)) => {
            (format!("code {}, state {:?}", error.code, error.state), error.to_string())
        }
        Failure::MysqlAsync(mysql_async::Error::Server(error)) => {
            (format!("code {}, state {:?}", error.code, error.state), error.to_string())
        }
        other => return Err(format!("the error is not the server's: {other:?}").into()),
    };
    Ok(Answer::new(text).with(error))
}
