use super::steps;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A statement with a parameter runs twice on one connection: what is sent each time?",
    meaning: "A statement is cheap from its second run on, as long as its text and its connection stay the same.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "SELECT 1 + ?";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (first, second) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let before = lab.proxy()?.report();
            sqlx::query(STATEMENT).bind(1).fetch_all(&mut connection).await?;
            let (first, between) = (lab.traffic_since(&before)?, lab.proxy()?.report());
            sqlx::query(STATEMENT).bind(1).fetch_all(&mut connection).await?;
            (first, lab.traffic_since(&between)?)
        }
        Driver::Mysql => {
            let watching = lab.clone();
            lab.mysql(move |connection| {
                let before = watching.proxy()?.report();
                connection.exec_drop(STATEMENT, (1,))?;
                let (first, between) = (watching.traffic_since(&before)?, watching.proxy()?.report());
                connection.exec_drop(STATEMENT, (1,))?;
                Ok((first, watching.traffic_since(&between)?))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let before = lab.proxy()?.report();
            connection.exec_drop(STATEMENT, (1,)).await?;
            let (first, between) = (lab.traffic_since(&before)?, lab.proxy()?.report());
            connection.exec_drop(STATEMENT, (1,)).await?;
            (first, lab.traffic_since(&between)?)
        }
    };
    Ok(Answer::new(format!("{}, then {}", steps(&first), steps(&second))))
}
