use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A program writes 🦀 as a parameter and reads it again: what is stored, and what comes back?",
    meaning: "F09FA680 is the crab in UTF-8; 3F is a question mark, and the text is lost.",
    setup: &["CREATE TABLE t (name VARCHAR(9) CHARACTER SET utf8mb4)"],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const INSERT: &str = "INSERT INTO t VALUES (?)";
const SELECT: &str = "SELECT name FROM t";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let read: Option<String> = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            sqlx::query(INSERT).bind("🦀").execute(&mut connection).await?;
            sqlx::query_scalar(SELECT).fetch_optional(&mut connection).await?
        }
        Driver::Mysql => {
            let round_trip = |connection: &mut mysql::Conn| {
                connection.exec_drop(INSERT, ("🦀",))?;
                Ok(connection.exec_first(SELECT, ())?)
            };
            lab.mysql(round_trip).await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            connection.exec_drop(INSERT, ("🦀",)).await?;
            connection.exec_first(SELECT, ()).await?
        }
    };
    let stored = lab.value("SELECT HEX(name) FROM t").await?;
    Ok(Answer::new(format!("{stored}, read as {}", read.unwrap_or_default())))
}
