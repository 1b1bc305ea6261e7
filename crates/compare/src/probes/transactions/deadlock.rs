use sqlx::{Connection as _, Executor as _};
use tokio::runtime::Handle;

use super::{GO_ON, INSERT, Rival, TABLE, UPDATE, ended, kept, told};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A transaction meets a deadlock, and the program goes on in it all the same: what does COMMIT keep?",
    meaning: "The server rolls back all of it; what follows is in no transaction. Leave at once, and begin again.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// What the other transaction has changed when this one begins: more than this one does, so that it survives.
const THEIRS: &[&str] =
    &["UPDATE t SET n = n + 10 WHERE id = 2", "INSERT INTO t (n) VALUES (30), (40), (50), (60), (70)"];
/// What it waits for.
const THEN: &str = "UPDATE t SET n = n + 10 WHERE id = 1";
/// What closes the circle.
const CROSS: &str = "UPDATE t SET n = n + 100 WHERE id = 2";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let rival = Rival::with(&lab, THEIRS).await?;
    let met: Result<(), BoxError> = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let mut transaction = connection.begin().await?;
            transaction.execute(INSERT).await?;
            transaction.execute(UPDATE).await?;
            let waiting = rival.wait(&lab, THEN).await?;
            let met = transaction.execute(CROSS).await.map(drop).map_err(BoxError::from);
            waiting.await??;
            transaction.execute(GO_ON).await?;
            transaction.commit().await?;
            met
        }
        Driver::Mysql => {
            let inner = lab.clone();
            let work = move |connection: &mut mysql::Conn| {
                let mut transaction = connection.start_transaction(mysql::TxOpts::default())?;
                transaction.query_drop(INSERT)?;
                transaction.query_drop(UPDATE)?;
                let waiting = Handle::current().block_on(rival.wait(&inner, THEN))?;
                let met = transaction.query_drop(CROSS).map_err(BoxError::from);
                Handle::current().block_on(waiting)??;
                transaction.query_drop(GO_ON)?;
                transaction.commit()?;
                Ok(met)
            };
            lab.mysql(work).await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let mut transaction = connection.start_transaction(mysql_async::TxOpts::default()).await?;
            transaction.query_drop(INSERT).await?;
            transaction.query_drop(UPDATE).await?;
            let waiting = rival.wait(&lab, THEN).await?;
            let met = transaction.query_drop(CROSS).await.map_err(BoxError::from);
            waiting.await??;
            transaction.query_drop(GO_ON).await?;
            transaction.commit().await?;
            met
        }
    };
    let kept = kept(&lab).await?;
    Ok(match met {
        Ok(()) => Answer::new(format!("no error; COMMIT keeps {kept}")),
        Err(error) => Answer::new(format!("{}; COMMIT keeps {kept}", told(&error))).with(error),
    })
}

/// The closure, too, goes on as if nothing had been.
async fn ours(driver: Driver, lab: Lab) -> Observed {
    let mut rival = Some(Rival::with(&lab, THEIRS).await?);
    let inner = lab.clone();
    let result = match driver {
        Driver::Sqlx => {
            let work = |mut transaction: tidb_connect_sqlx::Transaction| {
                let (rival, lab) = (rival.take(), inner.clone());
                async move {
                    transaction.execute(INSERT).await?;
                    transaction.execute(UPDATE).await?;
                    cross(rival, &lab).await?;
                    let _ = transaction.execute(CROSS).await;
                    let _ = transaction.execute(GO_ON).await;
                    Ok::<_, BoxError>(())
                }
            };
            tidb_connect_sqlx::Pool::new(&lab.config())?.transaction(work).await
        }
        Driver::Mysql => {
            let config = lab.config();
            let work = move |transaction: &mut tidb_connect_mysql::Transaction<'_>| {
                transaction.query_drop(INSERT)?;
                transaction.query_drop(UPDATE)?;
                Handle::current().block_on(cross(rival.take(), &inner))?;
                let _ = transaction.query_drop(CROSS);
                let _ = transaction.query_drop(GO_ON);
                Ok::<_, BoxError>(())
            };
            blocking(move || Ok(tidb_connect_mysql::Pool::new(&config)?.transaction(work))).await?
        }
        Driver::MysqlAsync => {
            let work = |mut transaction: tidb_connect_mysql_async::Transaction| {
                let (rival, lab) = (rival.take(), inner.clone());
                async move {
                    transaction.query_drop(INSERT).await?;
                    transaction.query_drop(UPDATE).await?;
                    cross(rival, &lab).await?;
                    let _ = transaction.query_drop(CROSS).await;
                    let _ = transaction.query_drop(GO_ON).await;
                    Ok::<_, BoxError>(())
                }
            };
            tidb_connect_mysql_async::Pool::new(&lab.config())?.transaction(work).await
        }
    };
    Ok(Answer::new(format!("{}: {}", ended(&result), kept(&lab).await?)))
}

/// The other one is there once.
async fn cross(rival: Option<Rival>, lab: &Lab) -> Result<(), BoxError> {
    match rival {
        Some(rival) => rival.wait(lab, THEN).await.map(drop),
        None => Ok(()),
    }
}
