use sqlx::Executor as _;

use super::{TEXTS, text};
use crate::{lab::blocking, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "The statement cache is switched off (size 0) and 200 statements run: how many stay prepared on the server?",
    meaning: "What stays is memory of the server until the connection ends; a pooled connection may live for days.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let traffic = match driver {
        Driver::Sqlx => {
            let options = lab.sqlx_options().statement_cache_capacity(0);
            let mut connection = sqlx::ConnectOptions::connect(&options).await?;
            let before = lab.proxy()?.report();
            for number in 0..TEXTS {
                sqlx::query(text(number)).bind(1).execute(&mut connection).await?;
            }
            connection.execute("SELECT 1").await?;
            lab.traffic_since(&before)?
        }
        Driver::Mysql => {
            let (options, watching) = (lab.mysql_options().stmt_cache_size(0), lab.clone());
            blocking(move || {
                let mut connection = mysql::Conn::new(options)?;
                let before = watching.proxy()?.report();
                for number in 0..TEXTS {
                    connection.exec_drop(text(number), (1,))?;
                }
                connection.query_drop("SELECT 1")?;
                watching.traffic_since(&before)
            })
            .await?
        }
        Driver::MysqlAsync => {
            let options = lab.mysql_async_options().stmt_cache_size(0);
            let mut connection = mysql_async::Conn::new(options).await?;
            let before = lab.proxy()?.report();
            for number in 0..TEXTS {
                connection.exec_drop(text(number), (1,)).await?;
            }
            connection.query_drop("SELECT 1").await?;
            lab.traffic_since(&before)?
        }
    };
    let (prepared, closed) = (traffic.count("COM_STMT_PREPARE"), traffic.count("COM_STMT_CLOSE"));
    Ok(Answer::new(prepared - closed).with(format!("{prepared} prepared and {closed} closed")))
}
