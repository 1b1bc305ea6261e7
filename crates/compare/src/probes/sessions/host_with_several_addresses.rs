use std::net::ToSocketAddrs as _;

use tokio::time::timeout;

use super::pools::{Pool, at_most};
use crate::{lab::PATIENCE, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "A host name has two addresses, and nobody listens at the first: is the second tried?",
    meaning: "Where it is not, `localhost` may fail that is ::1 before 127.0.0.1, and a name with a dead server fails for good.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const NAME: &str = "localhost";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    second_only(&lab)?;
    observe(Pool::as_it_comes(driver, &lab.config().with_host(NAME), 1).await?).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    second_only(&lab)?;
    observe(Pool::ours(driver, &lab.config().with_host(NAME), at_most(1))?).await
}

/// Only a name of the machine's own can be used, and what it means depends on the machine.
fn second_only(lab: &Lab) -> Result<(), BoxError> {
    let proxy = lab.proxy()?.addr();
    let at: Vec<_> = (NAME, proxy.port()).to_socket_addrs()?.collect();
    match at.iter().position(|address| *address == proxy) {
        Some(1..) => Ok(()),
        _ => Err(NotObservable::here(format!("no address comes before {} for {NAME} on this machine", proxy.ip()))),
    }
}

async fn observe(pool: Pool) -> Observed {
    match timeout(PATIENCE, pool.get()).await {
        Ok(Ok(_)) => Ok(Answer::new("yes")),
        Ok(Err(error)) => Ok(Answer::new("no: an error").with(error)),
        Err(_) => Ok(Answer::new(format!("no: still waiting after {} s", PATIENCE.as_secs()))),
    }
}
