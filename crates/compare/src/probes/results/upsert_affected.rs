use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "INSERT … ON DUPLICATE KEY UPDATE: how many rows are affected if the row is new, changed, and unchanged?",
    meaning: "Only where the three numbers differ does the count tell what happened to the row.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY, n INT)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// The row is new to the first, changed by the second, and left as it is by the third.
const UPSERTS: [&str; 3] = [
    "INSERT INTO t VALUES (1, 1) ON DUPLICATE KEY UPDATE n = 1",
    "INSERT INTO t VALUES (1, 2) ON DUPLICATE KEY UPDATE n = 2",
    "INSERT INTO t VALUES (1, 2) ON DUPLICATE KEY UPDATE n = 2",
];

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let mut affected = [0; 3];
    match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            for (affected, upsert) in affected.iter_mut().zip(UPSERTS) {
                *affected = sqlx::query(upsert).execute(&mut connection).await?.rows_affected();
            }
        }
        Driver::Mysql => {
            let upserts = move |connection: &mut mysql::Conn| {
                for (affected, upsert) in affected.iter_mut().zip(UPSERTS) {
                    *affected = connection.query_iter(upsert)?.affected_rows();
                }
                Ok(affected)
            };
            affected = lab.mysql(upserts).await?;
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            for (affected, upsert) in affected.iter_mut().zip(UPSERTS) {
                *affected = connection.query_iter(upsert).await?.affected_rows();
            }
        }
    }
    Ok(answer(affected))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let mut affected = [0; 3];
    match driver {
        Driver::Sqlx => {
            let mut connection = lab.our_sqlx().await?;
            for (affected, upsert) in affected.iter_mut().zip(UPSERTS) {
                *affected = sqlx::query(upsert).execute(&mut connection).await?.rows_affected();
            }
        }
        Driver::Mysql => {
            let upserts = move |connection: &mut tidb_connect_mysql::Connection| {
                for (affected, upsert) in affected.iter_mut().zip(UPSERTS) {
                    *affected = connection.query_iter(upsert)?.affected_rows();
                }
                Ok(affected)
            };
            affected = lab.our_mysql(upserts).await?;
        }
        Driver::MysqlAsync => {
            let mut connection = lab.our_mysql_async().await?;
            for (affected, upsert) in affected.iter_mut().zip(UPSERTS) {
                *affected = connection.query_iter(upsert).await?.affected_rows();
            }
        }
    }
    Ok(answer(affected))
}

fn answer([new, changed, unchanged]: [u64; 3]) -> Answer {
    Answer::new(format!("new {new}, changed {changed}, unchanged {unchanged}"))
}
