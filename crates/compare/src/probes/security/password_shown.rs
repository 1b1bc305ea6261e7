use std::fmt::Debug;

use sqlx::mysql::MySqlConnectOptions;
use tidb_connect_core::ConnectionConfig;
use tidb_connect_wire::{Answer as Says, Script, refusals};

use super::{CANARY, attempt, server};
use crate::probes::{
    prelude::*,
    sessions::pools::{Options, Pool, at_most},
};

pub(super) const PROBE: Probe = Probe {
    question: "Where does the password show, when options, pool, connection and errors are printed with {:?} and {}?",
    meaning: "What shows it must not get into a log: one `{options:?}` or `#[derive(Debug)]` around it is enough.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// Its port is no number.
const WRONG_URL: &str = "mysql://teller:canary-4f9d1c@127.0.0.1:port/test";

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let (_server, config) = server(Script::new())?;
    let options = Options::as_it_comes(driver, &config);
    let shown = format!("{options:?}");
    let pool = Pool::of(options, 1).await?;
    let (_refusing, config) = server(Script::new().on_login(Says::Error(refusals::DENIED)))?;
    let denied = Pool::as_it_comes(driver, &config, 1).await?;
    let wrong_url = match driver {
        Driver::Sqlx => said(WRONG_URL.parse::<MySqlConnectOptions>()),
        Driver::Mysql => said(mysql::Opts::from_url(WRONG_URL)),
        Driver::MysqlAsync => said(mysql_async::Opts::from_url(WRONG_URL)),
    };
    observe(shown, pool, denied, wrong_url).await
}

async fn ours(driver: Driver, _: Lab) -> Observed {
    let (_server, config) = server(Script::new())?;
    let pool = Pool::ours(driver, &config, at_most(1))?;
    let (_refusing, refused) = server(Script::new().on_login(Says::Error(refusals::DENIED)))?;
    let denied = Pool::ours(driver, &refused, at_most(1))?;
    observe(format!("{config:?} {config}"), pool, denied, said(ConnectionConfig::from_url(WRONG_URL))).await
}

async fn observe(options: String, pool: Pool, denied: Pool, wrong_url: String) -> Observed {
    let before = format!("{pool:?}");
    let mut connection = pool.get().await?;
    connection.text("SELECT 1").await?;
    let denied = said(attempt(&denied, "SELECT 1").await);
    let places = [
        ("options", options),
        ("pool", format!("{before} {pool:?}")),
        ("connection", format!("{connection:?}")),
        ("error of a login", denied),
        ("error of a URL", wrong_url),
    ];
    let shows: Vec<_> = places.iter().filter(|(_, shown)| shown.contains(CANARY)).map(|(place, _)| *place).collect();
    Ok(Answer::new(if shows.is_empty() { "nowhere".to_owned() } else { shows.join(", ") }))
}

/// All that an error says of itself.
fn said<T, E: Debug + ToString>(result: Result<T, E>) -> String {
    result.err().map_or(String::new(), |error| format!("{error:?} {}", error.to_string()))
}
