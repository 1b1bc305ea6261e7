use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "12:00 is written as TIMESTAMP and as DATETIME: what does a session in the zone +08:00 read?",
    meaning: "A TIMESTAMP is an instant and read in the reader's zone, a DATETIME is what was written: \
              writers of both must know the zone of their session.",
    setup: &["CREATE TABLE t (instant TIMESTAMP, wall DATETIME)"],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const INSERT: &str = "INSERT INTO t VALUES ('2026-07-01 12:00:00', '2026-07-01 12:00:00')";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            sqlx::query(INSERT).execute(&mut lab.sqlx().await?).await?;
        }
        Driver::Mysql => lab.mysql(|connection| Ok(connection.query_drop(INSERT)?)).await?,
        Driver::MysqlAsync => lab.mysql_async().await?.query_drop(INSERT).await?,
    }
    answer(&lab).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            sqlx::query(INSERT).execute(&mut lab.our_sqlx().await?).await?;
        }
        Driver::Mysql => lab.our_mysql(|connection| Ok(connection.query_drop(INSERT)?)).await?,
        Driver::MysqlAsync => lab.our_mysql_async().await?.query_drop(INSERT).await?,
    }
    answer(&lab).await
}

async fn answer(lab: &Lab) -> Observed {
    let read = "SELECT CONCAT('TIMESTAMP ', TIME(CONVERT_TZ(instant, @@session.time_zone, '+08:00')), ', DATETIME ', TIME(wall)) FROM t";
    let zone = lab.value("SELECT CONCAT(@@global.time_zone, ' (', @@system_time_zone, ')')").await?;
    Ok(Answer::new(lab.value(read).await?).with(format!("the server's zone is {zone}")))
}
