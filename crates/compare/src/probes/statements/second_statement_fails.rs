use sqlx::Executor as _;

use super::refusal;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Of three INSERTs in one text, the second fails: is the program told?",
    meaning: "A server stops at the first error and keeps what it did before: without a transaction, and a driver that tells, half the work is lost in silence.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const STATEMENTS: &str = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (3)";

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
    let rows = lab.value("SELECT GROUP_CONCAT(id ORDER BY id) FROM t").await?;
    let answer = match run {
        Ok(()) => Answer::new("no: success is reported"),
        Err(error) => Answer::new(format!("yes: {}", refusal(&error))).with(error),
    };
    Ok(answer.with(format!("rows afterwards: {rows}")))
}
