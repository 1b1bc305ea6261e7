use sqlx::Executor as _;

use super::refusal;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Two statements stand in one text, without parameters: do both run?",
    meaning: "Where they do, a value pasted into such a text can bring a statement of its own: bind every value.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const STATEMENTS: &str = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let run = match driver {
        Driver::Sqlx => {
            let run = lab.sqlx().await?.execute(STATEMENTS).await;
            run.map(drop).map_err(BoxError::from)
        }
        Driver::Mysql => lab.mysql(|connection| Ok(connection.query_drop(STATEMENTS)?)).await,
        Driver::MysqlAsync => lab.mysql_async().await?.query_drop(STATEMENTS).await.map_err(BoxError::from),
    };
    answer(&lab, run).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let run = match driver {
        Driver::Sqlx => {
            let run = lab.our_sqlx().await?.execute(STATEMENTS).await;
            run.map(drop).map_err(BoxError::from)
        }
        Driver::Mysql => lab.our_mysql(|connection| Ok(connection.query_drop(STATEMENTS)?)).await,
        Driver::MysqlAsync => lab.our_mysql_async().await?.query_drop(STATEMENTS).await.map_err(BoxError::from),
    };
    answer(&lab, run).await
}

async fn answer(lab: &Lab, run: Result<(), BoxError>) -> Observed {
    let rows = lab.value("SELECT COUNT(*) FROM t").await?;
    match run {
        Ok(()) if rows == "2" => Ok(Answer::new("yes")),
        Ok(()) => Ok(Answer::new(format!("no, and without an error: {rows} of 2"))),
        Err(error) => Ok(Answer::new(format!("no: {}", refusal(&error))).with(error)),
    }
}
