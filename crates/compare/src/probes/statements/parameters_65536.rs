use sqlx::{Executor as _, MySql, QueryBuilder};

use super::{refusal, state};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A statement has 65,536 parameters, one more than the protocol can count: who refuses it?",
    meaning: "An INSERT of many rows must be cut at 65,535 values, which is rows times columns.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const MOST: usize = 65_535;

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (most, more, next) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let most = sqlx_statement(MOST).build().execute(&mut connection).await;
            let more = sqlx_statement(MOST + 1).build().execute(&mut connection).await;
            let next = connection.execute("SELECT 1").await;
            let [most, more, next] = [most, more, next].map(|run| run.map(drop).map_err(BoxError::from));
            (most, more, next)
        }
        Driver::Mysql => {
            lab.mysql(|connection| {
                let mut run = |parameters| {
                    connection.exec_drop(statement(parameters), vec![1; parameters]).map_err(BoxError::from)
                };
                let (most, more) = (run(MOST), run(MOST + 1));
                Ok((most, more, connection.query_drop("SELECT 1").map_err(BoxError::from)))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let most = connection.exec_drop(statement(MOST), vec![1; MOST]).await.map_err(BoxError::from);
            let more = connection.exec_drop(statement(MOST + 1), vec![1; MOST + 1]).await.map_err(BoxError::from);
            (most, more, connection.query_drop("SELECT 1").await.map_err(BoxError::from))
        }
    };
    most?;
    match more {
        Ok(()) => Ok(Answer::new("nobody")),
        Err(error) => Ok(Answer::new(format!("{}; {}", refusal(&error), state(&next))).with(error)),
    }
}

fn statement(parameters: usize) -> String {
    format!("SELECT 1 IN ({})", vec!["?"; parameters].join(","))
}

fn sqlx_statement(parameters: usize) -> QueryBuilder<'static, MySql> {
    let mut statement = QueryBuilder::new("SELECT 1 IN (");
    let mut list = statement.separated(",");
    for _ in 0..parameters {
        list.push_bind(1);
    }
    list.push_unseparated(")");
    statement
}
