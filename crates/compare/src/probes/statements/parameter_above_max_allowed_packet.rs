use sqlx::{Executor as _, Row as _};

use super::{bytes_up, max_allowed_packet, refused, state};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A parameter is 1 MiB longer than the server's max_allowed_packet: who refuses it, and does the connection go on?",
    meaning: "Where the connection is lost, the error is that of a broken network, and a retry breaks the next one: check sizes before.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "SELECT LENGTH(?)";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let value = vec![b'x'; max_allowed_packet(&lab).await? + (1 << 20)];
    let size = value.len();
    let before = lab.proxy()?.report();
    let (run, next) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let row = sqlx::query(STATEMENT).bind(value).fetch_one(&mut connection).await;
            let length = row.and_then(|row| row.try_get::<Option<i64>, _>(0)).map_err(BoxError::from);
            let next = connection.execute("SELECT 1").await;
            (length, next.map(drop).map_err(BoxError::from))
        }
        Driver::Mysql => {
            lab.mysql(move |connection| {
                let length = connection.exec_first(STATEMENT, (value,)).map_err(BoxError::from);
                Ok((length.map(Option::flatten), connection.query_drop("SELECT 1").map_err(BoxError::from)))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let length = connection.exec_first(STATEMENT, (value,)).await.map_err(BoxError::from);
            (length.map(Option::flatten), connection.query_drop("SELECT 1").await.map_err(BoxError::from))
        }
    };
    let sent = bytes_up(&lab.proxy()?.report()) - bytes_up(&before);
    match run {
        Ok(Some(length)) if length as usize == size => Ok(Answer::new(format!("nobody: it arrives; {}", state(&next)))),
        Ok(other) => Ok(Answer::new("nobody: another value arrives").with(format!("{other:?} in place of {size}"))),
        Err(error) => Ok(Answer::new(format!("{}; {}", refused(sent), state(&next))).with(error)),
    }
}
