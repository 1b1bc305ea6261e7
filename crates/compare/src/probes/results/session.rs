//! What a session answers about itself.

use crate::probes::prelude::*;

/// Runs statements on one connection of the driver, as it comes, and gives the first value of the last, a text.
pub(super) async fn text(
    driver: Driver,
    lab: &Lab,
    before: &'static [&'static str],
    last: &'static str,
) -> Result<String, BoxError> {
    let text = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            for &statement in before {
                sqlx::query(statement).execute(&mut connection).await?;
            }
            sqlx::query_scalar(last).fetch_optional(&mut connection).await?
        }
        Driver::Mysql => {
            let texts = move |connection: &mut mysql::Conn| {
                before.iter().try_for_each(|statement| connection.query_drop(statement))?;
                Ok(connection.query_first(last)?)
            };
            lab.mysql(texts).await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            for &statement in before {
                connection.query_drop(statement).await?;
            }
            connection.query_first(last).await?
        }
    };
    text.ok_or_else(|| "no row came".into())
}

/// [`text`] through this workspace's crate for the driver.
pub(super) async fn our_text(
    driver: Driver,
    lab: &Lab,
    before: &'static [&'static str],
    last: &'static str,
) -> Result<String, BoxError> {
    let text = match driver {
        Driver::Sqlx => {
            let mut connection = lab.our_sqlx().await?;
            for &statement in before {
                sqlx::query(statement).execute(&mut connection).await?;
            }
            sqlx::query_scalar(last).fetch_optional(&mut connection).await?
        }
        Driver::Mysql => {
            let texts = move |connection: &mut tidb_connect_mysql::Connection| {
                before.iter().try_for_each(|statement| connection.query_drop(statement))?;
                Ok(connection.query_first(last)?)
            };
            lab.our_mysql(texts).await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.our_mysql_async().await?;
            for &statement in before {
                connection.query_drop(statement).await?;
            }
            connection.query_first(last).await?
        }
    };
    text.ok_or_else(|| "no row came".into())
}
