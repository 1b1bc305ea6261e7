use std::{iter::successors, time::Duration};

use sqlx::mysql::MySqlPoolOptions;

use super::{
    nowhere,
    pools::{Pool, at_most},
};
use crate::{lab::sqlx_options, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "Nobody listens at the server's address, and callers of the pool wait a second at most: does the error say why it failed?",
    meaning: "Where the cause is lost, a server that is down looks like a pool that is too small.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const LIMIT: Duration = Duration::from_secs(1);

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let config = nowhere(&lab)?;
    let pool = match driver {
        Driver::Sqlx => {
            Pool::Sqlx(MySqlPoolOptions::new().acquire_timeout(LIMIT).connect_lazy_with(sqlx_options(&config)))
        }
        // They do not wait.
        Driver::Mysql | Driver::MysqlAsync => Pool::as_it_comes(driver, &config, 1).await?,
    };
    observe(pool).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    observe(Pool::ours(driver, &nowhere(&lab)?, at_most(1).with_acquire_timeout(LIMIT))?).await
}

async fn observe(pool: Pool) -> Observed {
    let error = pool.get().await.err().ok_or("somebody listens")?;
    let error: &(dyn std::error::Error + 'static) = &*error;
    let said: Vec<_> = successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    let refused = said.iter().any(|text| text.to_lowercase().contains("refused"));
    let answer = Answer::new(if refused { "yes: connection refused" } else { "no" });
    Ok(said.into_iter().fold(answer, Answer::with))
}
