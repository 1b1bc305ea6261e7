use std::fs;

use tempfile::NamedTempFile;
use tidb_connect_core::{ConnectionConfig, TlsMode};
use tidb_connect_wire::{Script, StandIn};

use super::{attempt, self_signed, server, tls_required};
use crate::probes::{
    prelude::*,
    sessions::pools::{Pool, at_most},
};

pub(super) const PROBE: Probe = Probe {
    question: "TLS is required, and a trusted authority has signed the server's certificate, but for another host: accepted?",
    meaning: "Accepted, whoever has any certificate of that authority can be taken for the server.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let mut accepted = Vec::new();
    for name in ["127.0.0.1", "elsewhere.example"] {
        let (_server, config, authority) = offering(name)?;
        let pool = Pool::of(tls_required(driver, &config, Some(authority.path())), 1).await?;
        accepted.push(attempt(&pool, "SELECT 1").await);
    }
    answer(accepted)
}

async fn ours(driver: Driver, _: Lab) -> Observed {
    let mut accepted = Vec::new();
    for name in ["127.0.0.1", "elsewhere.example"] {
        let (_server, config, authority) = offering(name)?;
        let config = config.with_tls(TlsMode::Verify).with_ca_path(authority.path());
        accepted.push(attempt(&Pool::ours(driver, &config, at_most(1))?, "SELECT 1").await);
    }
    answer(accepted)
}

/// The certificate is its own authority.
fn offering(name: &str) -> Result<(StandIn, ConnectionConfig, NamedTempFile), BoxError> {
    let ((tls, pem), file) = (self_signed(name)?, NamedTempFile::new()?);
    fs::write(file.path(), pem)?;
    let (server, config) = server(Script::new().with_tls(tls))?;
    Ok((server, config, file))
}

/// The first attempt, with the right name, shows that nothing else is in the way.
fn answer(accepted: Vec<Result<String, BoxError>>) -> Observed {
    let mut accepted = accepted.into_iter();
    accepted.next().transpose()?;
    match accepted.next() {
        Some(Err(error)) => Ok(Answer::new("refused").with(error)),
        _ => Ok(Answer::new("accepted")),
    }
}
