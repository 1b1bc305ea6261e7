use super::refusal;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Two statements stand in one text, with parameters: do both run?",
    meaning: "A text with parameters is prepared, which servers do with one statement only: use two calls in a transaction.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENTS: &str = "INSERT INTO t VALUES (?); INSERT INTO t VALUES (?)";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let run = match driver {
        Driver::Sqlx => {
            let run = sqlx::query(STATEMENTS).bind(1).bind(2).execute(&mut lab.sqlx().await?).await;
            run.map(drop).map_err(BoxError::from)
        }
        Driver::Mysql => lab.mysql(|connection| Ok(connection.exec_drop(STATEMENTS, (1, 2))?)).await,
        Driver::MysqlAsync => lab.mysql_async().await?.exec_drop(STATEMENTS, (1, 2)).await.map_err(BoxError::from),
    };
    let rows = lab.value("SELECT COUNT(*) FROM t").await?;
    match run {
        Ok(()) if rows == "2" => Ok(Answer::new("yes")),
        Ok(()) => Ok(Answer::new(format!("no, and without an error: {rows} of 2"))),
        Err(error) => Ok(Answer::new(format!("no: {}", refusal(&error))).with(error)),
    }
}
