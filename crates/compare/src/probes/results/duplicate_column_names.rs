use sqlx::Row as _;

use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Two columns of a row have the same name, as after a join: which one does the name give?",
    meaning: "Where drivers differ, the same SQL gives another value: name such columns with AS, or read by position.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const SELECT: &str = "SELECT 'first' AS name, 'second' AS name";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let name: Option<String> = match driver {
        Driver::Sqlx => sqlx::query(SELECT).fetch_one(&mut lab.sqlx().await?).await?.try_get("name")?,
        Driver::Mysql => {
            let name = |connection: &mut mysql::Conn| {
                let row: Option<mysql::Row> = connection.query_first(SELECT)?;
                Ok(row.and_then(|row| row.get("name")))
            };
            lab.mysql(name).await?
        }
        Driver::MysqlAsync => {
            let row: Option<mysql_async::Row> = lab.mysql_async().await?.query_first(SELECT).await?;
            row.and_then(|row| row.get("name"))
        }
    };
    Ok(Answer::new(name.ok_or("the name gives no column")?))
}
