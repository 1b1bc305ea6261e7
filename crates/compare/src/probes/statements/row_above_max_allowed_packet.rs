use sqlx::Executor as _;

use super::{max_allowed_packet, refusal, state};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A row of a result is a quarter longer than the server's max_allowed_packet, with no value above it: does it come?",
    meaning: "Servers send such rows; where the driver does not take them, its connection is lost, and a SELECT of fewer columns is the way.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const SELECT: &str = "SELECT REPEAT('x', @n), REPEAT('x', @n), REPEAT('x', @n), REPEAT('x', @n), REPEAT('x', @n)";
const SIZE: &str = "SET @n = @@max_allowed_packet DIV 4";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let size = max_allowed_packet(&lab).await? / 4;
    let (row, next) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            connection.execute(SIZE).await?;
            let row = sqlx::query_as(SELECT).fetch_one(&mut connection).await;
            let next = connection.execute("SELECT 1").await;
            (row.map_err(BoxError::from), next.map(drop).map_err(BoxError::from))
        }
        Driver::Mysql => {
            lab.mysql(|connection| {
                connection.query_drop(SIZE)?;
                let row = connection.exec_first(SELECT, ()).map_err(BoxError::from);
                Ok((row.map(Option::unwrap_or_default), connection.query_drop("SELECT 1").map_err(BoxError::from)))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            connection.query_drop(SIZE).await?;
            let row = connection.exec_first(SELECT, ()).await.map_err(BoxError::from);
            (row.map(Option::unwrap_or_default), connection.query_drop("SELECT 1").await.map_err(BoxError::from))
        }
    };
    let (a, b, c, d, e): (String, String, String, String, String) = match row {
        Ok(row) => row,
        Err(error) => return Ok(Answer::new(format!("no: {}; {}", refusal(&error), state(&next))).with(error)),
    };
    let lengths = [a, b, c, d, e].map(|column| column.len());
    let whole = lengths == [size; 5];
    Ok(Answer::new(format!("{}; {}", if whole { "yes" } else { "no, but another row" }, state(&next)))
        .with(format!("lengths: {lengths:?}")))
}
