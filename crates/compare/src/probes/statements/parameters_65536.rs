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

const PARAMETERS: usize = 65_536;

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (run, next) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let mut statement = QueryBuilder::<MySql>::new("SELECT 1 IN (");
            let mut list = statement.separated(",");
            for _ in 0..PARAMETERS {
                list.push_bind(1);
            }
            list.push_unseparated(")");
            let run = statement.build().execute(&mut connection).await.map(drop).map_err(BoxError::from);
            (run, connection.execute("SELECT 1").await.map(drop).map_err(BoxError::from))
        }
        Driver::Mysql => {
            lab.mysql(|connection| {
                let run = connection.exec_drop(statement(), vec![1; PARAMETERS]).map_err(BoxError::from);
                Ok((run, connection.query_drop("SELECT 1").map_err(BoxError::from)))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let run = connection.exec_drop(statement(), vec![1; PARAMETERS]).await.map_err(BoxError::from);
            (run, connection.query_drop("SELECT 1").await.map_err(BoxError::from))
        }
    };
    match run {
        Ok(()) => Ok(Answer::new(format!("nobody; {}", state(&next)))),
        Err(error) => Ok(Answer::new(format!("{}; {}", refusal(&error), state(&next))).with(error)),
    }
}

fn statement() -> String {
    format!("SELECT 1 IN ({})", vec!["?"; PARAMETERS].join(","))
}
