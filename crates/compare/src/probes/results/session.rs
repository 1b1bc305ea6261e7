//! What a session answers about itself.

use crate::probes::prelude::*;

/// The first value, a text, of a statement that is run as one text by the driver as it comes.
pub(super) async fn text(driver: Driver, lab: &Lab, statement: &'static str) -> Result<String, BoxError> {
    let text = match driver {
        Driver::Sqlx => sqlx::query_scalar(statement).fetch_optional(&mut lab.sqlx().await?).await?,
        Driver::Mysql => lab.mysql(move |connection| Ok(connection.query_first(statement)?)).await?,
        Driver::MysqlAsync => lab.mysql_async().await?.query_first(statement).await?,
    };
    text.ok_or_else(|| "no row came".into())
}

/// The same through this workspace's crate for the driver.
pub(super) async fn our_text(driver: Driver, lab: &Lab, statement: &'static str) -> Result<String, BoxError> {
    let text = match driver {
        Driver::Sqlx => sqlx::query_scalar(statement).fetch_optional(&mut lab.our_sqlx().await?).await?,
        Driver::Mysql => lab.our_mysql(move |connection| Ok(connection.query_first(statement)?)).await?,
        Driver::MysqlAsync => lab.our_mysql_async().await?.query_first(statement).await?,
    };
    text.ok_or_else(|| "no row came".into())
}
