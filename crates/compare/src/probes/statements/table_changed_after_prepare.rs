use sqlx::Row as _;

use super::refusal;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A column is added at the front of a table; `SELECT *` runs again, and the old column is read by its name: what comes?",
    meaning: "Wrong values without an error can follow a migration while programs run: name the columns instead of `SELECT *`.",
    setup: &["CREATE TABLE t (price INT)", "INSERT INTO t VALUES (100)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const SELECT: &str = "SELECT * FROM t WHERE 1 = ?";
const CHANGE: &str = "ALTER TABLE t ADD COLUMN discount INT NOT NULL DEFAULT 7 FIRST";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let price = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            sqlx::query(SELECT).bind(1).fetch_one(&mut connection).await?;
            lab.sql(CHANGE).await?;
            let row = sqlx::query(SELECT).bind(1).fetch_one(&mut connection).await;
            row.and_then(|row| row.try_get::<i32, _>("price")).map_err(BoxError::from)
        }
        Driver::Mysql => {
            let (side, runtime) = (lab.clone(), tokio::runtime::Handle::current());
            lab.mysql(move |connection| {
                connection.exec_drop(SELECT, (1,))?;
                runtime.block_on(side.sql(CHANGE))?;
                let row: Option<mysql::Row> = connection.exec_first(SELECT, (1,))?;
                Ok(row.and_then(|mut row| row.take("price")).ok_or("no such column")?)
            })
            .await
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            connection.exec_drop(SELECT, (1,)).await?;
            lab.sql(CHANGE).await?;
            let row: Option<mysql_async::Row> = connection.exec_first(SELECT, (1,)).await?;
            row.and_then(|mut row| row.take("price")).ok_or_else(|| "no such column".into())
        }
    };
    match price {
        Ok(100) => Ok(Answer::new("its value")),
        Ok(other) => Ok(Answer::new("the value of the new column").with(format!("{other} in place of 100"))),
        Err(error) => Ok(Answer::new(format!("an error: {}", refusal(&error))).with(error)),
    }
}
