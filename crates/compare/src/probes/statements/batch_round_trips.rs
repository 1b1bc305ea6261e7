use sqlx::{MySql, QueryBuilder};

use super::steps;
use crate::{lab::plural, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "100 rows are inserted in the way the driver offers for many rows: what is sent?",
    meaning: "A batch of one round trip a row is as slow as a loop, and slower the farther the server is: write one INSERT of many rows.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY, n INT)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const INSERT: &str = "INSERT INTO t VALUES (?, ?)";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let traffic = match driver {
        // It has no call for a batch: a builder of statements is what its documentation shows.
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let mut insert = QueryBuilder::<MySql>::new("INSERT INTO t ");
            insert.push_values(0..100, |mut row, number| {
                row.push_bind(number).push_bind(number);
            });
            lab.watched(async { Ok(insert.build().execute(&mut connection).await?) }).await?.1
        }
        Driver::Mysql => {
            let watching = lab.clone();
            lab.mysql(move |connection| {
                let before = watching.proxy()?.report();
                connection.exec_batch(INSERT, (0..100).map(|number| (number, number)))?;
                watching.traffic_since(&before)
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let rows = (0..100).map(|number| (number, number));
            lab.watched(async { Ok(connection.exec_batch(INSERT, rows).await?) }).await?.1
        }
    };
    match &*lab.value("SELECT COUNT(*) FROM t").await? {
        "100" => Ok(Answer::new(format!("{}: {}", plural(traffic.round_trips, "round trip"), steps(&traffic)))),
        rows => Err(format!("{rows} rows in place of 100").into()),
    }
}
