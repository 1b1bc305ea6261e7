use sqlx::Executor as _;

use super::{TABLE, told};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A transaction is to be SERIALIZABLE: does the server let it?",
    meaning: "TiDB refuses the level unless it is told to ignore it: lock what you read with SELECT ... FOR UPDATE.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let begun: Result<(), BoxError> = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let set = connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").await;
            set.map(drop).map_err(BoxError::from)
        }
        Driver::Mysql => {
            let level = Some(mysql::IsolationLevel::Serializable);
            let options = mysql::TxOpts::default().set_isolation_level(level);
            lab.mysql(move |connection| Ok(connection.start_transaction(options).map(drop)?)).await
        }
        Driver::MysqlAsync => {
            let mut options = mysql_async::TxOpts::default();
            options.with_isolation_level(mysql_async::IsolationLevel::Serializable);
            let mut connection = lab.mysql_async().await?;
            connection.start_transaction(options).await.map(drop).map_err(BoxError::from)
        }
    };
    Ok(match begun {
        Ok(()) => Answer::new("yes"),
        Err(error) => Answer::new(format!("refused: {}", told(&error))).with(error),
    })
}
