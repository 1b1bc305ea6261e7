use super::refusal;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A statement that the server runs as text only (PREPARE … FROM) runs by the driver's usual call: does it work?",
    meaning: "Where it does not, run such statements (in TiDB also BATCH and LOAD DATA) as text: `sqlx::raw_sql`, `query_drop`.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "PREPARE p FROM 'SELECT 1'";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let run = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            sqlx::query(STATEMENT).execute(&mut connection).await.map(drop).map_err(BoxError::from)
        }
        Driver::Mysql => lab.mysql(|connection| Ok(connection.query_drop(STATEMENT)?)).await,
        Driver::MysqlAsync => lab.mysql_async().await?.query_drop(STATEMENT).await.map_err(BoxError::from),
    };
    match run {
        Ok(()) => Ok(Answer::new("yes")),
        Err(error) => Ok(Answer::new(format!("no: {}", refusal(&error))).with(error)),
    }
}
