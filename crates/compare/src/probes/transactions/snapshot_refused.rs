use sqlx::Connection as _;
use tidb_connect_wire::{Answer as Said, Fault, Point, Refusal};

use super::{TABLE, told};
use crate::{lab::caught, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "The server refuses to begin a transaction with a consistent snapshot: what does the program get?",
    meaning: "A panic takes the task or the thread with it. On TiDB, every transaction has such a snapshot anyway.",
    setup: TABLE,
    as_it_comes: observer!(as_it_comes),
    // It has no settings for it.
    ours: None,
};

const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT";

/// Said by the proxy, as a TiDB does whose placement driver is away.
const REFUSAL: Refusal = Refusal { code: 9001, sqlstate: Some("HY000"), text: "PD Server Timeout" };

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    lab.proxy()?.arm(Point::statement(BEGIN), Fault::AfterRequest(0, Said::Error(REFUSAL)));
    let begun = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            caught(async move { Ok(connection.begin_with(BEGIN).await.map(drop)?) }).await
        }
        Driver::Mysql => {
            let options = mysql::TxOpts::default().set_with_consistent_snapshot(true);
            lab.mysql(move |connection| Ok(connection.start_transaction(options).map(drop)?)).await
        }
        Driver::MysqlAsync => {
            let mut options = mysql_async::TxOpts::default();
            options.with_consistent_snapshot(true);
            let mut connection = lab.mysql_async().await?;
            caught(async move { Ok(connection.start_transaction(options).await.map(drop)?) }).await
        }
    };
    Ok(match begun {
        Ok(()) => Answer::new("nothing"),
        Err(error) => Answer::new(told(&error)).with(error),
    })
}
