use tidb_connect_core::players::{NewPlayer, PlayerStore};

use super::errors::{Failure, failure};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A row is there already: does the error say so, or does the program compare numbers?",
    meaning: "Where there is no kind, a program keeps a table of the server's numbers.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (text, error) = match failure(driver, &lab, "INSERT INTO t VALUES (1)").await? {
        Failure::Sqlx(error) => {
            let database = error.as_database_error().ok_or("the error is not the server's")?;
            (format!("kind {:?}", database.kind()), error.to_string())
        }
        // Its fields are all that it has.
        Failure::Mysql(mysql::Error::MySqlError(mysql::MySqlError { state, message, code })) => {
            let name = mysql::ServerError::ER_DUP_ENTRY;
            let named = if code == name as u16 { format!(", which is named {name:?}") } else { String::new() };
            (format!("number {code}{named}"), format!("{state}: {message}"))
        }
        Failure::MysqlAsync(mysql_async::Error::Server(mysql_async::ServerError { code, message, state })) => {
            (format!("number {code}"), format!("{state}: {message}"))
        }
        other => return Err(format!("the error is not the server's: {other:?}").into()),
    };
    Ok(Answer::new(text).with(error))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let store: Box<dyn PlayerStore> = match driver {
        Driver::Sqlx => Box::new(tidb_connect_sqlx::SqlxStore::connect(&lab.config()).await?),
        Driver::Mysql => Box::new(tidb_connect_mysql::MysqlStore::connect(&lab.config()).await?),
        Driver::MysqlAsync => Box::new(tidb_connect_mysql_async::MysqlAsyncStore::connect(&lab.config()).await?),
    };
    let ann = NewPlayer::new("Ann", 1, 1);
    store.create_table().await?;
    store.create(&ann).await?;
    let error = store.create(&ann).await.err().ok_or("the second player was created")?;
    let answer = Answer::new(format!("kind {:?}", error.kind())).with(&error);
    store.close().await?;
    Ok(answer)
}
