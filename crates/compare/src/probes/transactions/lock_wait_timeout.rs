use sqlx::{Connection as _, Executor as _};
use tokio::runtime::Handle;

use super::{GO_ON, INSERT, Rival, TABLE, UPDATE, ended, kept, told};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A lock is waited for too long, and the program goes on in the transaction: what does COMMIT keep?",
    meaning: "Only the statement fails: the transaction stays open, with its locks, and COMMIT keeps half of the work.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const BLOCKED: &str = "UPDATE t SET n = n + 100 WHERE id = 1";

/// In seconds; 50 unless it is set.
const SOON: &str = "SET SESSION innodb_lock_wait_timeout = 1";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let rival = Rival::with(&lab, &[UPDATE]).await?;
    let met: Result<(), BoxError> = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            connection.execute(SOON).await?;
            let mut transaction = connection.begin().await?;
            transaction.execute(INSERT).await?;
            let met = transaction.execute(BLOCKED).await.map(drop).map_err(BoxError::from);
            transaction.execute(GO_ON).await?;
            transaction.commit().await?;
            met
        }
        Driver::Mysql => {
            let work = |connection: &mut mysql::Conn| {
                connection.query_drop(SOON)?;
                let mut transaction = connection.start_transaction(mysql::TxOpts::default())?;
                transaction.query_drop(INSERT)?;
                let met = transaction.query_drop(BLOCKED).map_err(BoxError::from);
                transaction.query_drop(GO_ON)?;
                transaction.commit()?;
                Ok(met)
            };
            lab.mysql(work).await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            connection.query_drop(SOON).await?;
            let mut transaction = connection.start_transaction(mysql_async::TxOpts::default()).await?;
            transaction.query_drop(INSERT).await?;
            let met = transaction.query_drop(BLOCKED).await.map_err(BoxError::from);
            transaction.query_drop(GO_ON).await?;
            transaction.commit().await?;
            met
        }
    };
    rival.commit().await?;
    let kept = kept(&lab).await?;
    Ok(match met {
        Ok(()) => Answer::new(format!("no error; COMMIT keeps {kept}")),
        Err(error) => Answer::new(format!("{}; COMMIT keeps {kept}", told(&error))).with(error),
    })
}

/// The closure, too, goes on as if nothing had been.
async fn ours(driver: Driver, lab: Lab) -> Observed {
    let mut rival = Some(Rival::with(&lab, &[UPDATE]).await?);
    let result = match driver {
        Driver::Sqlx => {
            let work = |mut transaction: tidb_connect_sqlx::Transaction| {
                let rival = rival.take();
                async move {
                    transaction.execute(SOON).await?;
                    transaction.execute(INSERT).await?;
                    let _ = transaction.execute(BLOCKED).await;
                    let _ = transaction.execute(GO_ON).await;
                    leave(rival).await
                }
            };
            tidb_connect_sqlx::Pool::new(&lab.config())?.transaction(work).await
        }
        Driver::Mysql => {
            let config = lab.config();
            let work = move |transaction: &mut tidb_connect_mysql::Transaction<'_>| {
                transaction.query_drop(SOON)?;
                transaction.query_drop(INSERT)?;
                let _ = transaction.query_drop(BLOCKED);
                let _ = transaction.query_drop(GO_ON);
                Handle::current().block_on(leave(rival.take()))
            };
            blocking(move || Ok(tidb_connect_mysql::Pool::new(&config)?.transaction(work))).await?
        }
        Driver::MysqlAsync => {
            let work = |mut transaction: tidb_connect_mysql_async::Transaction| {
                let rival = rival.take();
                async move {
                    transaction.query_drop(SOON).await?;
                    transaction.query_drop(INSERT).await?;
                    let _ = transaction.query_drop(BLOCKED).await;
                    let _ = transaction.query_drop(GO_ON).await;
                    leave(rival).await
                }
            };
            tidb_connect_mysql_async::Pool::new(&lab.config())?.transaction(work).await
        }
    };
    Ok(Answer::new(format!("{}: {}", ended(&result), kept(&lab).await?)))
}

/// The other one is gone when the transaction is made again.
async fn leave(rival: Option<Rival>) -> Result<(), BoxError> {
    match rival {
        Some(rival) => rival.commit().await,
        None => Ok(()),
    }
}
