use tokio::{task::yield_now, time::timeout};

use super::steps;
use crate::{
    lab::{PATIENCE, Traffic},
    probes::prelude::*,
};

pub(super) const PROBE: Probe = Probe {
    question: "A connection that has prepared a statement is dropped: what does the server hear of it?",
    meaning: "Nothing leaks: a server forgets the statements of a connection that ends, told or not.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "SELECT 1 + ?";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    match driver {
        Driver::Sqlx => {
            sqlx::query(STATEMENT).bind(1).execute(&mut lab.sqlx().await?).await?;
        }
        Driver::Mysql => lab.mysql(|connection| Ok(connection.exec_drop(STATEMENT, (1,))?)).await?,
        Driver::MysqlAsync => lab.mysql_async().await?.exec_drop(STATEMENT, (1,)).await?,
    }
    let proxy = lab.proxy()?;
    let closed = timeout(PATIENCE, async {
        while proxy.report().open() > 0 {
            yield_now().await
        }
    })
    .await;
    let mut traffic = lab.traffic_since(&tidb_connect_wire::Report::default())?;
    let executed = traffic.commands.iter().position(|command| command == "COM_STMT_EXECUTE");
    let after = traffic.commands.split_off(executed.map_or(0, |at| at + 1));
    let said = steps(&Traffic { commands: after, ..Traffic::default() });
    Ok(Answer::new(match (closed, &*said) {
        (Err(_), _) => "nothing: it stays open".to_owned(),
        (Ok(()), "") => "the end of the connection".to_owned(),
        (Ok(()), said) => format!("{said}, the end of the connection"),
    }))
}
