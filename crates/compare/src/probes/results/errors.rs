//! An error of the server's, as the drivers give it.

use crate::probes::prelude::*;

/// A driver's error.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlx(sqlx::Error),
    Mysql(mysql::Error),
    MysqlAsync(mysql_async::Error),
}

/// How the driver, as it comes, says that `statement` has failed.
pub(super) async fn failure(driver: Driver, lab: &Lab, statement: &'static str) -> Result<Failure, BoxError> {
    let failure = match driver {
        Driver::Sqlx => sqlx::query(statement).execute(&mut lab.sqlx().await?).await.err().map(Failure::Sqlx),
        Driver::Mysql => {
            lab.mysql(move |connection| Ok(connection.query_drop(statement).err().map(Failure::Mysql))).await?
        }
        Driver::MysqlAsync => lab.mysql_async().await?.query_drop(statement).await.err().map(Failure::MysqlAsync),
    };
    failure.ok_or_else(|| "the statement succeeded".into())
}
