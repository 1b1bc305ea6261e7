//! The id that an `INSERT` reports.

use crate::probes::prelude::*;

/// What the driver gives as the last insert id after `insert`, as it comes.
pub(super) async fn last_insert_id(driver: Driver, lab: &Lab, insert: &'static str) -> Result<Option<u64>, BoxError> {
    match driver {
        Driver::Sqlx => Ok(Some(sqlx::query(insert).execute(&mut lab.sqlx().await?).await?.last_insert_id())),
        Driver::Mysql => lab.mysql(move |connection| Ok(connection.query_iter(insert)?.last_insert_id())).await,
        Driver::MysqlAsync => Ok(lab.mysql_async().await?.query_iter(insert).await?.last_insert_id()),
    }
}

/// [`last_insert_id`] through this workspace's crate for the driver.
pub(super) async fn our_last_insert_id(
    driver: Driver,
    lab: &Lab,
    insert: &'static str,
) -> Result<Option<u64>, BoxError> {
    match driver {
        Driver::Sqlx => Ok(Some(sqlx::query(insert).execute(&mut lab.our_sqlx().await?).await?.last_insert_id())),
        Driver::Mysql => lab.our_mysql(move |connection| Ok(connection.query_iter(insert)?.last_insert_id())).await,
        Driver::MysqlAsync => Ok(lab.our_mysql_async().await?.query_iter(insert).await?.last_insert_id()),
    }
}

/// The id in words: which of the table's rows has it, in the order in which they were inserted.
pub(super) async fn which_row(lab: &Lab, id: Option<u64>) -> Result<Answer, BoxError> {
    // The protocol has no other word for none; sqlx passes it on.
    let Some(id) = id.filter(|id| *id != 0) else { return Ok(Answer::new("none").with(format!("given as {id:?}"))) };
    let rows = lab.sql("SELECT id, n FROM t ORDER BY n").await?;
    let ids: Vec<String> = rows.into_iter().flat_map(|row| row.into_iter().next()).collect();
    let text = match ids.iter().position(|row| *row == id.to_string()) {
        Some(row) => format!("that of row {} of {}", row + 1, ids.len()),
        None => "that of no row".to_owned(),
    };
    Ok(Answer::new(text).with(format!("last insert id {id}, rows {}", ids.join(", "))))
}
