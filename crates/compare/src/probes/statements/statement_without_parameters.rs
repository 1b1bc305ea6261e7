use super::steps;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A statement without parameters runs once, by the call that the driver's first example shows: what is sent?",
    meaning: "Text is one round trip; preparing costs another one at a statement's first run on each connection.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "SELECT 1";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let traffic = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            lab.watched(async { Ok(sqlx::query(STATEMENT).fetch_all(&mut connection).await?) }).await?.1
        }
        Driver::Mysql => {
            let watching = lab.clone();
            lab.mysql(move |connection| {
                let before = watching.proxy()?.report();
                connection.query_drop(STATEMENT)?;
                watching.traffic_since(&before)
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            lab.watched(async { Ok(connection.query_drop(STATEMENT).await?) }).await?.1
        }
    };
    Ok(Answer::new(steps(&traffic)))
}
