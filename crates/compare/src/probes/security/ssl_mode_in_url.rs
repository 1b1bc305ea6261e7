use sqlx::{ConnectOptions as _, mysql::MySqlConnectOptions};
use tidb_connect_core::ConnectionConfig;
use tidb_connect_wire::{Script, StandIn};

use super::server;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A URL ends in ?ssl-mode=REQUIRED, as MySQL's own tools know it, and the server has no TLS: does the driver log in?",
    meaning: "A driver that reads URLs its own way must not pass over what another means by them.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let (server, config) = server(Script::new())?;
    let url = url(&config);
    let result: Result<(), BoxError> = async {
        match driver {
            Driver::Sqlx => drop(url.parse::<MySqlConnectOptions>()?.connect().await?),
            Driver::Mysql => drop(blocking(move || Ok(mysql::Conn::new(mysql::Opts::from_url(&url)?)?)).await?),
            Driver::MysqlAsync => drop(mysql_async::Conn::new(mysql_async::Opts::from_url(&url)?).await?),
        }
        Ok(())
    }
    .await;
    answer(&server, result)
}

async fn ours(driver: Driver, _: Lab) -> Observed {
    let (server, config) = server(Script::new())?;
    let url = url(&config);
    let result: Result<(), BoxError> = async {
        let config = ConnectionConfig::from_url(&url)?;
        match driver {
            Driver::Sqlx => drop(tidb_connect_sqlx::connect(&config).await?),
            Driver::Mysql => drop(blocking(move || Ok(tidb_connect_mysql::connect(&config)?)).await?),
            Driver::MysqlAsync => drop(tidb_connect_mysql_async::connect(&config).await?),
        }
        Ok(())
    }
    .await;
    answer(&server, result)
}

fn url(config: &ConnectionConfig) -> String {
    format!("mysql://teller@{}:{}/test?ssl-mode=REQUIRED", config.host(), config.port())
}

fn answer(server: &StandIn, result: Result<(), BoxError>) -> Observed {
    Ok(match result {
        Ok(()) => Answer::new("yes, without TLS"),
        Err(error) if server.visits().is_empty() => Answer::new("no: it knows no such parameter").with(error),
        Err(error) => Answer::new("no: it wants TLS").with(error),
    })
}
