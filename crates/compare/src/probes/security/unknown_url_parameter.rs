use sqlx::mysql::MySqlConnectOptions;
use tidb_connect_core::ConnectionConfig;

use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A URL has a parameter that nobody knows, such as a misspelt one: is it refused?",
    meaning: "Passed over, a limit or a TLS switch with a typing error is not set, and nobody says so.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const URL: &str = "mysql://teller@127.0.0.1:4000/test?requre_ssl=true";

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    answer(match driver {
        Driver::Sqlx => URL.parse::<MySqlConnectOptions>().map(drop).map_err(BoxError::from),
        Driver::Mysql => mysql::Opts::from_url(URL).map(drop).map_err(BoxError::from),
        Driver::MysqlAsync => mysql_async::Opts::from_url(URL).map(drop).map_err(BoxError::from),
    })
}

async fn ours(_: Driver, _: Lab) -> Observed {
    answer(ConnectionConfig::from_url(URL).map(drop).map_err(BoxError::from))
}

fn answer(read: Result<(), BoxError>) -> Observed {
    Ok(match read {
        Ok(()) => Answer::new("no: passed over"),
        Err(error) => Answer::new("yes").with(error),
    })
}
