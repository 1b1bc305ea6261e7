use sqlx::{Connection as _, Executor as _};

use super::{INSERT, TABLE, applied_or_not};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Code in a transaction begins another, and the outer one is rolled back: what becomes of its changes?",
    meaning: "A BEGIN in a transaction commits it: what may be called inside a transaction must not send one.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// In the only way there is where a transaction has no method for it.
const BEGIN: &str = "BEGIN";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let work = async {
        match driver {
            Driver::Sqlx => {
                let mut connection = lab.sqlx().await?;
                let mut outer = connection.begin().await?;
                outer.execute(INSERT).await?;
                outer.begin().await?.commit().await?;
                Ok(outer.rollback().await?)
            }
            Driver::Mysql => {
                let work = |connection: &mut mysql::Conn| {
                    let mut outer = connection.start_transaction(mysql::TxOpts::default())?;
                    outer.query_drop(INSERT)?;
                    outer.query_drop(BEGIN)?;
                    Ok(outer.rollback()?)
                };
                lab.mysql(work).await
            }
            Driver::MysqlAsync => {
                let mut connection = lab.mysql_async().await?;
                let mut outer = connection.start_transaction(mysql_async::TxOpts::default()).await?;
                outer.query_drop(INSERT).await?;
                outer.query_drop(BEGIN).await?;
                Ok(outer.rollback().await?)
            }
        }
    };
    answer(&lab, work).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let work = async {
        let refused = match driver {
            Driver::Sqlx => {
                let pool = tidb_connect_sqlx::Pool::new(&lab.config())?;
                let work = pool.transaction(|mut outer| async move {
                    outer.execute(INSERT).await?;
                    outer.execute(BEGIN).await?;
                    Err::<(), _>(sqlx::Error::RowNotFound)
                });
                work.await.is_err()
            }
            Driver::Mysql => {
                let pool = tidb_connect_mysql::Pool::new(&lab.config())?;
                blocking(move || {
                    let done = pool.transaction(|outer| {
                        outer.query_drop(INSERT)?;
                        outer.query_drop(BEGIN)?;
                        Err::<(), _>(mysql::Error::from(std::io::Error::other("of its own")))
                    });
                    Ok(done.is_err())
                })
                .await?
            }
            Driver::MysqlAsync => {
                let pool = tidb_connect_mysql_async::Pool::new(&lab.config())?;
                let work = pool.transaction(|mut outer| async move {
                    outer.query_drop(INSERT).await?;
                    outer.query_drop(BEGIN).await?;
                    Err::<(), _>(mysql_async::Error::from(std::io::Error::other("of its own")))
                });
                work.await.is_err()
            }
        };
        if !refused {
            return Err("the closure's error was lost".into());
        }
        Ok(())
    };
    answer(&lab, work).await
}

async fn answer(lab: &Lab, work: impl Future<Output = Result<(), BoxError>>) -> Observed {
    let ((), traffic) = lab.watched(work).await?;
    let how = if traffic.count("COM_QUERY SAVEPOINT") > 0 { "by a savepoint" } else { "only by a statement" };
    Ok(Answer::new(format!("{how}; {}", applied_or_not(lab).await?)))
}
