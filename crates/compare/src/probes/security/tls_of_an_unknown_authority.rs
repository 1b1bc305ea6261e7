use tidb_connect_core::{ConnectionConfig, TlsMode};
use tidb_connect_wire::{Script, StandIn};

use super::{attempt, self_signed, server, tls_required};
use crate::probes::{
    prelude::*,
    sessions::pools::{Pool, at_most},
};

pub(super) const PROBE: Probe = Probe {
    question: "TLS is required, by the driver's switch for that, and no known authority has signed the server's certificate: accepted?",
    meaning: "Accepted, TLS keeps out who only listens, and not who puts himself between: that needs verification, another switch.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let (_server, config) = offering()?;
    observe(Pool::of(tls_required(driver, &config, None), 1).await?).await
}

async fn ours(driver: Driver, _: Lab) -> Observed {
    let (_server, config) = offering()?;
    observe(Pool::ours(driver, &config.with_tls(TlsMode::Verify), at_most(1))?).await
}

fn offering() -> Result<(StandIn, ConnectionConfig), BoxError> {
    let (tls, _) = self_signed("127.0.0.1")?;
    server(Script::new().with_tls(tls))
}

async fn observe(pool: Pool) -> Observed {
    Ok(match attempt(&pool, "SELECT 1").await {
        Ok(_) => Answer::new("accepted"),
        Err(error) => Answer::new("refused").with(error),
    })
}
