use std::time::Duration;

use tidb_connect_wire::{Answer as Says, Script, StandIn};
use tokio::time::timeout;

use super::pools::{Pool, at_most};
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "A server accepts the connection and says nothing: when does the driver give up?",
    meaning: "Without a limit, one such server, or a firewall that drops packets, holds a caller for ever.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const WHILE: Duration = Duration::from_secs(2);

/// As ours comes, it is 20 s, which is too long to be watched here.
const LIMIT: Duration = Duration::from_millis(500);

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let silent = StandIn::start(Script::new().on_connect(Says::Silence))?;
    let config = lab.config().with_port(silent.addr().port());
    observe(Pool::as_it_comes(driver, &config, 1).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let silent = StandIn::start(Script::new().on_connect(Says::Silence))?;
    let config = lab.config().with_port(silent.addr().port()).with_connect_timeout(LIMIT);
    observe(Pool::ours(driver, &config, at_most(1))?).await
}

async fn observe(pool: Pool) -> Observed {
    match timeout(WHILE, pool.get()).await {
        Ok(Ok(_)) => Err("the server has said something".into()),
        Ok(Err(error)) => Ok(Answer::new(format!("at its limit, here of {} s", LIMIT.as_secs_f32())).with(error)),
        Err(_) => Ok(Answer::new(format!("still waiting after {} s", WHILE.as_secs()))),
    }
}
