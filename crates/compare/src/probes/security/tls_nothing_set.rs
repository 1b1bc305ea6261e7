use tidb_connect_core::{ConnectionConfig, Deployment};
use tidb_connect_wire::{Script, StandIn};

use super::{attempt, self_signed, server};
use crate::probes::{
    prelude::*,
    sessions::pools::{Pool, at_most},
};

pub(super) const PROBE: Probe = Probe {
    question: "A server offers TLS with a certificate that anybody could have made, and nothing is set: is the connection encrypted?",
    meaning: "Not encrypted, everybody on the way reads along; encrypted with anybody's certificate, whoever puts himself between.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let (server, config) = offering()?;
    observe(&server, Pool::as_it_comes(driver, &config, 1).await?).await
}

/// As to TiDB Cloud; to this machine, nothing needs to be encrypted.
async fn ours(driver: Driver, _: Lab) -> Observed {
    let (server, config) = offering()?;
    observe(&server, Pool::ours(driver, &config.with_deployment(Deployment::Starter), at_most(1))?).await
}

fn offering() -> Result<(StandIn, ConnectionConfig), BoxError> {
    let (tls, _) = self_signed("127.0.0.1")?;
    server(Script::new().with_tls(tls))
}

async fn observe(server: &StandIn, pool: Pool) -> Observed {
    let result = attempt(&pool, "SELECT 1").await;
    let login = server.visits().into_iter().find(|visit| visit.login);
    Ok(match (result, login) {
        (Ok(_), Some(login)) if login.tls => Answer::new("yes, whoever's certificate it is"),
        (Ok(_), _) => Answer::new("no"),
        (Err(error), None) => Answer::new("refused: nobody known signed the certificate").with(error),
        (Err(error), Some(_)) => return Err(error),
    })
}
