use sqlx::Row as _;

use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A row is asked for a column that it does not have, and for one whose name differs in case: what comes?",
    meaning: "Names are written as the statement gives them; where None comes, a misspelt name looks like no value.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const SELECT: &str = "SELECT 'Ann' AS name";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let words = match driver {
        Driver::Sqlx => {
            let row = sqlx::query(SELECT).fetch_one(&mut lab.sqlx().await?).await?;
            ["nmae", "Name"].map(|name| match row.try_get::<String, _>(name) {
                Ok(value) => value,
                Err(sqlx::Error::ColumnNotFound(_)) => "error".to_owned(),
                Err(other) => other.to_string(),
            })
        }
        Driver::Mysql => {
            let row = lab.mysql(|connection| Ok(connection.query_first::<mysql::Row, _>(SELECT)?)).await?;
            let row = row.ok_or("no row came")?;
            ["nmae", "Name"].map(|name| row.get(name).unwrap_or_else(|| "None".to_owned()))
        }
        Driver::MysqlAsync => {
            let row: Option<mysql_async::Row> = lab.mysql_async().await?.query_first(SELECT).await?;
            let row = row.ok_or("no row came")?;
            ["nmae", "Name"].map(|name| row.get(name).unwrap_or_else(|| "None".to_owned()))
        }
    };
    let [misspelt, case] = words;
    Ok(Answer::new(format!("misspelt {misspelt}, in another case {case}")))
}
