use tidb_connect_wire::{Answer as Says, Script, StandIn};

use super::{CANARY, attempt, server};
use crate::probes::{
    prelude::*,
    sessions::pools::{Pool, at_most},
};

pub(super) const PROBE: Probe = Probe {
    question: "A rogue server without TLS asks for the password in clear text: does it get it?",
    meaning: "Sent, it is known to whoever can take the server's place: this method must be switched on, for TLS only.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let (rogue, config) = server(asking())?;
    observe(&rogue, Pool::as_it_comes(driver, &config, 1).await?).await
}

async fn ours(driver: Driver, _: Lab) -> Observed {
    let (rogue, config) = server(asking())?;
    observe(&rogue, Pool::ours(driver, &config, at_most(1))?).await
}

fn asking() -> Script {
    Script::new().on_login(Says::AuthSwitch("mysql_clear_password".into()))
}

async fn observe(rogue: &StandIn, pool: Pool) -> Observed {
    let result = attempt(&pool, "SELECT 1").await;
    let sent = rogue.visits().iter().any(|visit| visit.has_sent(CANARY));
    let answer = Answer::new(if sent { "yes" } else { "no" });
    Ok(match result {
        Ok(_) => answer,
        Err(error) => answer.with(error),
    })
}
