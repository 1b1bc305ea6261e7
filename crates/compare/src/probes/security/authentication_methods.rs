use tidb_connect_wire::{Answer as Says, Script};

use super::{attempt, server};
use crate::{
    lab::Panicked,
    probes::{
        prelude::*,
        sessions::pools::{Pool, at_most},
    },
};

pub(super) const PROBE: Probe = Probe {
    question: "Which methods of authentication does the driver answer to, when a server without TLS asks for them?",
    meaning: "A user whose method is not among them cannot log in: TiDB's default is mysql_native_password.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// Of TiDB, MySQL and MariaDB, those that need one answer.
const METHODS: [&str; 8] = [
    "mysql_native_password",
    "caching_sha2_password",
    "mysql_clear_password",
    "mysql_old_password",
    "tidb_sm3_password",
    "tidb_auth_token",
    "authentication_ldap_sasl",
    "client_ed25519",
];

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let mut results = Vec::new();
    for method in METHODS {
        let (_server, config) = server(asking_for(method))?;
        results.push(attempt(&Pool::as_it_comes(driver, &config, 1).await?, "SELECT 1").await);
    }
    answer(results)
}

async fn ours(driver: Driver, _: Lab) -> Observed {
    let mut results = Vec::new();
    for method in METHODS {
        let (_server, config) = server(asking_for(method))?;
        results.push(attempt(&Pool::ours(driver, &config, at_most(1))?, "SELECT 1").await);
    }
    answer(results)
}

/// Takes any answer for the right one.
fn asking_for(method: &'static str) -> Script {
    Script::new().on_login(Says::AuthSwitch(method.into()))
}

fn answer(results: Vec<Result<String, BoxError>>) -> Observed {
    let (mut known, mut panics, mut evidence) = (Vec::new(), Vec::new(), Vec::new());
    for (method, result) in METHODS.into_iter().zip(results) {
        match result {
            Ok(_) => known.push(method.trim_end_matches("_password")),
            Err(error) => {
                if error.is::<Panicked>() {
                    panics.push(method);
                }
                evidence.push(format!("{method}: {error}"));
            }
        }
    }
    let mut text = known.join(", ");
    if !panics.is_empty() {
        text = format!("{text}; a panic at {}", panics.join(", "));
    }
    Ok(evidence.into_iter().fold(Answer::new(text), Answer::with))
}
