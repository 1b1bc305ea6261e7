use tidb_connect_core::Deployment;
use tidb_connect_wire::{Script, StandIn};

use super::{attempt, server, tls_required};
use crate::probes::{
    prelude::*,
    sessions::pools::{Pool, at_most},
};

pub(super) const PROBE: Probe = Probe {
    question: "A server does not offer TLS: does the driver log in, with nothing set, and with TLS required?",
    meaning: "Who sits between can take the offer away: only a driver that requires TLS then sends nothing.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let (plain, config) = server(Script::new())?;
    let unset = logs_in(&plain, Pool::as_it_comes(driver, &config, 1).await?).await;
    let (plain, config) = server(Script::new())?;
    let required = logs_in(&plain, Pool::of(tls_required(driver, &config, None), 1).await?).await;
    Ok(Answer::new(format!("nothing set: {unset}; required: {required}")))
}

/// As to TiDB Cloud, which is what requires TLS with nothing set.
async fn ours(driver: Driver, _: Lab) -> Observed {
    let (plain, config) = server(Script::new())?;
    let unset = Pool::ours(driver, &config.with_deployment(Deployment::Starter), at_most(1))?;
    Ok(Answer::new(format!("nothing set: {}", logs_in(&plain, unset).await)))
}

async fn logs_in(server: &StandIn, pool: Pool) -> &'static str {
    let result = attempt(&pool, "SELECT 1").await;
    match (result.is_ok(), server.visits().iter().any(|visit| visit.login)) {
        (true, _) => "yes",
        (false, true) => "no, but after the login",
        (false, false) => "no",
    }
}
