use sqlx::mysql::MySqlPoolOptions;
use tidb_connect_core::pool::PoolPolicy;

use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "From which age does the pool replace a connection, when nothing is set?",
    meaning: "TiDB Cloud Starter closes what is idle for 340 s and may close what is older than 30 minutes: 300 s are safe.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    Ok(match driver {
        Driver::Sqlx => {
            let options = MySqlPoolOptions::new();
            let age = options.get_max_lifetime().map_or("none".to_owned(), |age| format!("{} s", age.as_secs()));
            Answer::new(age).with(format!("{options:?}"))
        }
        Driver::Mysql => {
            // All that can be set.
            let options = format!("{:?}", mysql::PoolOpts::default());
            let some = ["ttl", "life", "age"].iter().any(|name| options.contains(name));
            Answer::new(if some { "some" } else { "none, and none can be set" }).with(options)
        }
        Driver::MysqlAsync => {
            let options = mysql_async::PoolOpts::default();
            let age = options.abs_conn_ttl().map_or("none".to_owned(), |age| format!("{} s", age.as_secs()));
            Answer::new(age).with(format!("{options:?}"))
        }
    })
}

async fn ours(_: Driver, _: Lab) -> Observed {
    let policy = PoolPolicy::default();
    Ok(Answer::new(format!("{} s", policy.recycle().as_secs())).with(format!("{policy:?}")))
}
