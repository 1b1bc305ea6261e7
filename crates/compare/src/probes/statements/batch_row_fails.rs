use sqlx::{MySql, QueryBuilder};

use super::refusal;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Of 100 rows inserted as one batch, outside a transaction, the 51st is a duplicate: how many rows are there then?",
    meaning: "Where rows stay, a batch is many statements: put it in a transaction, or a retry meets its own rows.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY, n INT)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const INSERT: &str = "INSERT INTO t VALUES (?, ?)";

/// The 51st row has the key of the first.
fn rows() -> impl Iterator<Item = (i32, i32)> + Send {
    (0..100).map(|number| (number % 50, number))
}

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let run = match driver {
        Driver::Sqlx => {
            let mut insert = QueryBuilder::<MySql>::new("INSERT INTO t ");
            insert.push_values(rows(), |mut row, (id, n)| {
                row.push_bind(id).push_bind(n);
            });
            insert.build().execute(&mut lab.sqlx().await?).await.map(drop).map_err(BoxError::from)
        }
        Driver::Mysql => lab.mysql(|connection| Ok(connection.exec_batch(INSERT, rows())?)).await,
        Driver::MysqlAsync => lab.mysql_async().await?.exec_batch(INSERT, rows()).await.map_err(BoxError::from),
    };
    let rows = lab.value("SELECT COUNT(*) FROM t").await?;
    match run {
        Ok(()) => Ok(Answer::new(format!("{rows}; no error"))),
        Err(error) => Ok(Answer::new(format!("{rows}; {}", refusal(&error))).with(error)),
    }
}
