use std::{thread::sleep, time::Duration};

use futures_util::TryStreamExt as _;
use tokio::task::spawn_blocking;

use super::{ALL, DIGITS, ROWS, bytes_down};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A program reads the first row of a result of 41 MB, and pauses: does the driver read on?",
    meaning: "Where it does not, a result of any size can be read row by row; the server waits meanwhile, and so do its locks and memory.",
    setup: DIGITS,
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let arrived = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let mut rows = sqlx::query(ROWS).fetch(&mut connection);
            rows.try_next().await?;
            let watching = lab.clone();
            spawn_blocking(move || arrived(&watching)).await??
        }
        Driver::Mysql => {
            let watching = lab.clone();
            lab.mysql(move |connection| {
                let mut rows = connection.exec_iter(ROWS, ())?;
                rows.next().transpose()?;
                arrived(&watching)
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let mut rows = connection.exec_stream::<mysql_async::Row, _, _>(ROWS, ()).await?;
            rows.try_next().await?;
            let watching = lab.clone();
            spawn_blocking(move || arrived(&watching)).await??
        }
    };
    let answer = if arrived < ALL { "no: it waits, and so does the server" } else { "yes: to the end" };
    Ok(Answer::new(answer).with(format!("{} MB have left the server, up to the system's buffers", arrived / 1_000_000)))
}

/// How much has come from the server once no more comes.
fn arrived(lab: &Lab) -> Result<u64, BoxError> {
    let mut last = 0;
    loop {
        let arrived = bytes_down(&lab.proxy()?.report());
        if arrived == last || arrived >= ALL {
            return Ok(arrived);
        }
        last = arrived;
        sleep(Duration::from_millis(200));
    }
}
