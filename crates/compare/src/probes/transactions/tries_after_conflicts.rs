use sqlx::{Connection as _, Executor as _};
use tidb_connect_wire::{Answer as Said, Fault, Point, Refusal};

use super::{INSERT, TABLE, ended, told};
use crate::{lab::plural, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "A transaction meets a deadlock each time that it is tried: how often is it tried?",
    meaning: "Where it is once, the program needs a loop around it, with pauses and an end: conflicts are normal.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// Said by the proxy.
const DEADLOCK: Refusal = Refusal {
    code: 1213,
    sqlstate: Some("40001"),
    text: "Deadlock found when trying to get lock; try restarting transaction",
};

/// More than anybody needs.
const TIMES: usize = 20;

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let work = async {
        let met = match driver {
            Driver::Sqlx => {
                let mut connection = lab.sqlx().await?;
                let mut transaction = connection.begin().await?;
                transaction.execute(INSERT).await.err().map(BoxError::from)
            }
            Driver::Mysql => {
                let work = |connection: &mut mysql::Conn| {
                    let mut transaction = connection.start_transaction(mysql::TxOpts::default())?;
                    Ok(transaction.query_drop(INSERT).err().map(BoxError::from))
                };
                lab.mysql(work).await?
            }
            Driver::MysqlAsync => {
                let mut connection = lab.mysql_async().await?;
                let mut transaction = connection.start_transaction(mysql_async::TxOpts::default()).await?;
                transaction.query_drop(INSERT).await.err().map(BoxError::from)
            }
        };
        Ok(met.as_ref().map_or("no error".to_owned(), told))
    };
    answer(&lab, work).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let config = lab.config();
    let work = async {
        Ok(match driver {
            Driver::Sqlx => {
                let pool = tidb_connect_sqlx::Pool::new(&config)?;
                let done = pool.transaction(|mut transaction| async move { transaction.execute(INSERT).await });
                ended(&done.await)
            }
            Driver::Mysql => {
                let work = |transaction: &mut tidb_connect_mysql::Transaction<'_>| transaction.query_drop(INSERT);
                let call = move || Ok(ended(&tidb_connect_mysql::Pool::new(&config)?.transaction(work)));
                blocking(call).await?
            }
            Driver::MysqlAsync => {
                let pool = tidb_connect_mysql_async::Pool::new(&config)?;
                let done = pool.transaction(|mut transaction| async move { transaction.query_drop(INSERT).await });
                ended(&done.await)
            }
        })
    };
    answer(&lab, work).await
}

async fn answer(lab: &Lab, work: impl Future<Output = Result<String, BoxError>>) -> Observed {
    for _ in 0..TIMES {
        lab.proxy()?.arm(Point::statement(INSERT), Fault::AfterRequest(0, Said::Error(DEADLOCK)));
    }
    let (end, traffic) = lab.watched(work).await?;
    let tries = traffic.count(&format!("COM_QUERY {INSERT}"));
    Ok(Answer::new(format!("{}; {end}", plural(tries as u64, "time"))))
}
