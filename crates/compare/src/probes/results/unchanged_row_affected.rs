use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "An UPDATE finds its row and changes nothing: how many rows are affected?",
    meaning: "Where the answer is 0, `affected == 0` does not mean that the row is missing.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY, n INT)", "INSERT INTO t VALUES (1, 1)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const UPDATE: &str = "UPDATE t SET n = 1 WHERE id = 1";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let affected = match driver {
        Driver::Sqlx => sqlx::query(UPDATE).execute(&mut lab.sqlx().await?).await?.rows_affected(),
        Driver::Mysql => {
            lab.mysql(|connection| {
                connection.query_drop(UPDATE)?;
                Ok(connection.affected_rows())
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            connection.query_drop(UPDATE).await?;
            connection.affected_rows()
        }
    };
    Ok(Answer::new(affected))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let affected = match driver {
        Driver::Sqlx => sqlx::query(UPDATE).execute(&mut lab.our_sqlx().await?).await?.rows_affected(),
        Driver::Mysql => lab.our_mysql(|connection| Ok(connection.query_iter(UPDATE)?.affected_rows())).await?,
        Driver::MysqlAsync => lab.our_mysql_async().await?.query_iter(UPDATE).await?.affected_rows(),
    };
    Ok(Answer::new(affected))
}
