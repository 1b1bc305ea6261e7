use sqlx::{Executor as _, Statement as _};

use super::{TEXTS, refusal, text};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A program keeps the handle of a prepared statement while its connection runs 200 others: does it still work?",
    meaning: "Where the cache closes statements that a program still holds, hold texts instead of handles.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "SELECT 'kept', ?";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let run = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let statement = connection.prepare(STATEMENT).await?;
            for number in 0..TEXTS {
                sqlx::query(text(number)).bind(1).execute(&mut connection).await?;
            }
            statement.query().bind(1).execute(&mut connection).await.map(drop).map_err(BoxError::from)
        }
        Driver::Mysql => {
            lab.mysql(|connection| {
                let statement = connection.prep(STATEMENT)?;
                for number in 0..TEXTS {
                    connection.exec_drop(text(number), (1,))?;
                }
                Ok(connection.exec_drop(&statement, (1,))?)
            })
            .await
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let statement = connection.prep(STATEMENT).await?;
            for number in 0..TEXTS {
                connection.exec_drop(text(number), (1,)).await?;
            }
            connection.exec_drop(&statement, (1,)).await.map_err(BoxError::from)
        }
    };
    match run {
        Ok(()) => Ok(Answer::new("yes")),
        Err(error) => Ok(Answer::new(format!("no: {}", refusal(&error))).with(error)),
    }
}
