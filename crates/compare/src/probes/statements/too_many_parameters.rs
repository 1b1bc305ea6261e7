use sqlx::{Executor as _, Row as _};

use super::{refusal, state};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A statement with one parameter gets two values: who notices, and does the connection go on?",
    meaning: "Where nobody notices, a value that was bound in the wrong place is lost without a word.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "SELECT CONCAT(?)";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (run, next) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let row = sqlx::query(STATEMENT).bind("one").bind("two").fetch_one(&mut connection).await;
            let value = row.and_then(|row| row.try_get::<Option<String>, _>(0)).map_err(BoxError::from);
            let next = connection.execute("SELECT 1").await;
            (value, next.map(drop).map_err(BoxError::from))
        }
        Driver::Mysql => {
            lab.mysql(|connection| {
                let value = connection.exec_first(STATEMENT, ("one", "two")).map_err(BoxError::from);
                Ok((value.map(Option::flatten), connection.query_drop("SELECT 1").map_err(BoxError::from)))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let value = connection.exec_first(STATEMENT, ("one", "two")).await.map_err(BoxError::from);
            (value.map(Option::flatten), connection.query_drop("SELECT 1").await.map_err(BoxError::from))
        }
    };
    match run {
        Ok(value) => Ok(Answer::new(format!("nobody: it answers {value:?}; {}", state(&next)))),
        Err(error) => Ok(Answer::new(format!("{}; {}", refusal(&error), state(&next))).with(error)),
    }
}
