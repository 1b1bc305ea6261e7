use futures_util::TryStreamExt as _;
use mysql::prelude::Queryable as Blocking;
use sqlx::{Executor, MySql};

use super::{ALL, DIGITS, ROWS, bytes_down, state};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A program reads the first row of a result of 41 MB, drops the rest, and runs its next statement: what happens to the rest?",
    meaning: "Rows that are not wanted are best not asked for (LIMIT): else they are paid for in time, or with the connection.",
    setup: DIGITS,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let next = match driver {
        Driver::Sqlx => through_sqlx(&mut lab.sqlx().await?).await?,
        Driver::Mysql => lab.mysql(through_mysql).await?,
        Driver::MysqlAsync => through_mysql_async(&mut lab.mysql_async().await?).await?,
    };
    answer(&lab, next)
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let next = match driver {
        Driver::Sqlx => through_sqlx(&mut lab.our_sqlx().await?).await?,
        Driver::Mysql => lab.our_mysql(through_mysql).await?,
        Driver::MysqlAsync => through_mysql_async(&mut lab.our_mysql_async().await?).await?,
    };
    answer(&lab, next)
}

/// The outcome of the next statement.
type Next = Result<(), BoxError>;

async fn through_sqlx<C>(connection: &mut C) -> Result<Next, BoxError>
where
    for<'c> &'c mut C: Executor<'c, Database = MySql>,
{
    let mut rows = sqlx::query(ROWS).fetch(&mut *connection);
    rows.try_next().await?;
    drop(rows);
    Ok(sqlx::query("SELECT 1").execute(&mut *connection).await.map(drop).map_err(BoxError::from))
}

fn through_mysql(connection: &mut impl Blocking) -> Result<Next, BoxError> {
    let mut rows = connection.exec_iter(ROWS, ())?;
    rows.next().transpose()?;
    drop(rows);
    Ok(connection.query_drop("SELECT 1").map_err(BoxError::from))
}

async fn through_mysql_async(connection: &mut impl mysql_async::prelude::Queryable) -> Result<Next, BoxError> {
    let mut rows = connection.exec_stream::<mysql_async::Row, _, _>(ROWS, ()).await?;
    rows.try_next().await?;
    drop(rows);
    Ok(connection.query_drop("SELECT 1").await.map_err(BoxError::from))
}

fn answer(lab: &Lab, next: Next) -> Observed {
    let arrived = bytes_down(&lab.proxy()?.report());
    let rest = if arrived < ALL { "it is not read" } else { "all of it is read first" };
    let answer = Answer::new(format!("{rest}; {}", state(&next)));
    let answer = answer.with(format!("{} MB have left the server, up to the system's buffers", arrived / 1_000_000));
    Ok(next.err().into_iter().fold(answer, Answer::with))
}
