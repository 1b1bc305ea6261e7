use sqlx::{Executor as _, Row as _, Statement as _};

use super::refusal;
use crate::{lab::blocking, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "A statement prepared on one connection runs on another, which has prepared a different one: what runs?",
    meaning: "The server numbers statements for each connection; where the driver does not look, a handle kept over connections runs what it never prepared.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const PREPARED: &str = "SELECT 'the statement that was prepared', ?";
const OTHER: &str = "SELECT 'another statement', ?";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let ran = match driver {
        Driver::Sqlx => {
            let (mut first, mut second) = (lab.sqlx().await?, lab.sqlx().await?);
            let statement = first.prepare(PREPARED).await?;
            second.prepare(OTHER).await?;
            let row = statement.query().bind(1).fetch_one(&mut second).await;
            row.and_then(|row| row.try_get(0)).map_err(BoxError::from)
        }
        Driver::Mysql => {
            let options = lab.mysql_options();
            blocking(move || {
                let (mut first, mut second) = (mysql::Conn::new(options.clone())?, mysql::Conn::new(options)?);
                let statement = first.prep(PREPARED)?;
                second.prep(OTHER)?;
                let row: Option<(String, i64)> = second.exec_first(&statement, (1,))?;
                Ok(row.unwrap_or_default().0)
            })
            .await
        }
        Driver::MysqlAsync => {
            let (mut first, mut second) = (lab.mysql_async().await?, lab.mysql_async().await?);
            let statement = first.prep(PREPARED).await?;
            second.prep(OTHER).await?;
            let row: Result<Option<(String, i64)>, _> = second.exec_first(&statement, (1,)).await;
            row.map(|row| row.unwrap_or_default().0).map_err(BoxError::from)
        }
    };
    match ran {
        Ok(name) => Ok(Answer::new(name)),
        Err(error) => Ok(Answer::new(format!("none: {}", refusal(&error))).with(error)),
    }
}
