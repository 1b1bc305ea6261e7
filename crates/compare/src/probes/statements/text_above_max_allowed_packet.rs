use sqlx::{Executor as _, MySql, QueryBuilder};

use super::{bytes_up, max_allowed_packet, refused, state};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The text of a statement is 1 MiB longer than the server's max_allowed_packet: who refuses it, and does the connection go on?",
    meaning: "An INSERT of many rows grows to that: limit its bytes as well as its rows.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let value = "x".repeat(max_allowed_packet(&lab).await? + (1 << 20));
    let before = lab.proxy()?.report();
    let (run, next) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let mut statement = QueryBuilder::<MySql>::new("SELECT LENGTH('");
            statement.push(value).push("')");
            let run = statement.build().execute(&mut connection).await;
            let next = connection.execute("SELECT 1").await;
            (run.map(drop).map_err(BoxError::from), next.map(drop).map_err(BoxError::from))
        }
        Driver::Mysql => {
            lab.mysql(move |connection| {
                let run = connection.query_drop(format!("SELECT LENGTH('{value}')")).map_err(BoxError::from);
                Ok((run, connection.query_drop("SELECT 1").map_err(BoxError::from)))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let run = connection.query_drop(format!("SELECT LENGTH('{value}')")).await.map_err(BoxError::from);
            (run, connection.query_drop("SELECT 1").await.map_err(BoxError::from))
        }
    };
    let sent = bytes_up(&lab.proxy()?.report()) - bytes_up(&before);
    match run {
        Ok(()) => Ok(Answer::new(format!("nobody; {}", state(&next)))),
        Err(error) => Ok(Answer::new(format!("{}; {}", refused(sent), state(&next))).with(error)),
    }
}
