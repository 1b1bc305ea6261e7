use sqlx::Executor as _;

use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A statement succeeds with a warning: does the program see it?",
    meaning: "Where there is no count, SHOW WARNINGS on the same connection tells, for a round trip each time.",
    setup: &["CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const INSERT: &str = "INSERT IGNORE INTO t VALUES (1)";
const SHOW: &str = "SHOW WARNINGS";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (count, shown) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let result = sqlx::query(INSERT).execute(&mut connection).await?;
            // All that it knows is in its Debug.
            let count = if format!("{result:?}").contains("warning") { "a count" } else { "no count" };
            (count.to_owned(), connection.fetch_all(SHOW).await?.len())
        }
        Driver::Mysql => {
            let warnings = |connection: &mut mysql::Conn| {
                connection.query_drop(INSERT)?;
                let count = format!("a count of {}", connection.warnings());
                Ok((count, connection.query::<mysql::Row, _>(SHOW)?.len()))
            };
            lab.mysql(warnings).await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            connection.query_drop(INSERT).await?;
            let count = format!("a count of {}", connection.get_warnings());
            (count, connection.query::<mysql_async::Row, _>(SHOW).await?.len())
        }
    };
    Ok(Answer::new(format!("{count}; SHOW WARNINGS lists {shown}")))
}
