use mysql::params;
use sqlx::Row as _;

use super::refusal;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A named parameter stands right behind a minus sign, as in `10-:n`: is it found?",
    meaning: "Where it is not, put a space before every name: a minus and a slash could begin a comment, and hide the colon.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "SELECT 10-:n";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let difference = match driver {
        Driver::Sqlx => {
            let row = sqlx::query(STATEMENT).bind(3_i64).fetch_one(&mut lab.sqlx().await?).await;
            row.and_then(|row| row.try_get(0)).map_err(BoxError::from)
        }
        Driver::Mysql => lab.mysql(|connection| Ok(connection.exec_first(STATEMENT, params! { "n" => 3 })?)).await,
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            connection.exec_first(STATEMENT, mysql_async::params! { "n" => 3 }).await.map_err(BoxError::from)
        }
    };
    match difference {
        Ok(Some(7_i64)) => Ok(Answer::new("yes")),
        Ok(other) => Ok(Answer::new("no: with a wrong result").with(format!("{other:?} in place of 7"))),
        Err(error) => Ok(Answer::new(format!("no: {}", refusal(&error))).with(error)),
    }
}
