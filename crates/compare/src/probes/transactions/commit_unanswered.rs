use sqlx::{Connection as _, Executor as _};
use tidb_connect_wire::{Answer as Said, Fault, Point};

use super::{INSERT, TABLE, applied_or_not, ended, told};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The connection is lost before, or after, COMMIT has reached the server: can the program tell which?",
    meaning: "Where it cannot, look before you do it again: who simply repeats the transaction may make it twice.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// The server does not get the COMMIT; and it does, and its answer is lost.
const LOST: [(Fault, &str); 2] =
    [(Fault::AfterRequest(0, Said::Close), "not committed"), (Fault::AfterAnswer(0, Said::Close), "committed")];

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let (mut got, mut evidence) = (Vec::new(), Vec::new());
    for (fault, expected) in LOST {
        lab.proxy()?.arm(Point::statement("COMMIT"), fault);
        let committed: Result<(), BoxError> = match driver {
            Driver::Sqlx => {
                let mut connection = lab.sqlx().await?;
                let mut transaction = connection.begin().await?;
                transaction.execute(INSERT).await?;
                transaction.commit().await.map_err(BoxError::from)
            }
            Driver::Mysql => {
                let work = |connection: &mut mysql::Conn| {
                    let mut transaction = connection.start_transaction(mysql::TxOpts::default())?;
                    transaction.query_drop(INSERT)?;
                    Ok(transaction.commit().map_err(BoxError::from))
                };
                lab.mysql(work).await?
            }
            Driver::MysqlAsync => {
                let mut connection = lab.mysql_async().await?;
                let mut transaction = connection.start_transaction(mysql_async::TxOpts::default()).await?;
                transaction.query_drop(INSERT).await?;
                transaction.commit().await.map_err(BoxError::from)
            }
        };
        is_as(expected, &lab).await?;
        got.push(committed.as_ref().err().map_or("no error".to_owned(), told));
        evidence.extend(committed.err().map(|error| format!("{expected}: {error}")));
    }
    Ok(evidence.into_iter().fold(answer(got), Answer::with))
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let mut got = Vec::new();
    for (fault, expected) in LOST {
        lab.proxy()?.arm(Point::statement("COMMIT"), fault);
        let config = lab.config();
        got.push(match driver {
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
        });
        is_as(expected, &lab).await?;
    }
    Ok(answer(got))
}

/// Makes sure that the loss was what it should be.
async fn is_as(expected: &str, lab: &Lab) -> Result<(), BoxError> {
    match applied_or_not(lab).await? {
        applied if applied == expected => Ok(()),
        applied => Err(format!("the transaction is {applied}, and not {expected}").into()),
    }
}

fn answer(mut got: Vec<String>) -> Answer {
    got.dedup();
    match got.as_slice() {
        [one] => Answer::new(format!("no: {one} in both cases")),
        _ => Answer::new(format!("yes: {}", got.join(", and "))),
    }
}
