use std::{fs, time::Duration};

use tempfile::NamedTempFile;
use tidb_connect_core::ConnectionConfig;
use tidb_connect_wire::{Answer as Says, Script, StandIn};
use tokio::time::error::Elapsed;

use super::{CANARY, attempt, server};
use crate::{
    lab::PATIENCE,
    probes::{
        prelude::*,
        sessions::pools::{Pool, at_most},
    },
};

pub(super) const PROBE: Probe = Probe {
    question: "A rogue server answers an UPDATE by asking for a file of the client's, as to LOAD DATA LOCAL: what does it get?",
    meaning: "A file must not be sent unasked; and an UPDATE that was answered like this has not been done.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const UPDATE: &str = "UPDATE t SET n = 1";

/// As ours comes, it is 60 s, which is too long to be watched here.
const LIMIT: Duration = Duration::from_secs(1);

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let (rogue, config, _file) = asking()?;
    observe(&rogue, Pool::as_it_comes(driver, &config, 1).await?).await
}

async fn ours(driver: Driver, _: Lab) -> Observed {
    let (rogue, config, _file) = asking()?;
    observe(&rogue, Pool::ours(driver, &config.with_operation_timeout(LIMIT), at_most(1))?).await
}

fn asking() -> Result<(StandIn, ConnectionConfig, NamedTempFile), BoxError> {
    let file = NamedTempFile::new()?;
    fs::write(file.path(), CANARY)?;
    let name = file.path().to_string_lossy().into_owned();
    let (rogue, config) = server(Script::new().on_statement(UPDATE, Says::LocalInfile(name.into())))?;
    Ok((rogue, config, file))
}

async fn observe(rogue: &StandIn, pool: Pool) -> Observed {
    let result = attempt(&pool, UPDATE).await;
    let sent = if rogue.visits().iter().any(|visit| visit.has_sent(CANARY)) { "the file" } else { "no file" };
    Ok(match result {
        Ok(_) => Answer::new(format!("{sent}; the UPDATE counts as done")),
        Err(error) if error.is::<Elapsed>() => {
            Answer::new(format!("{sent}; the caller still waits after {} s", PATIENCE.as_secs()))
        }
        Err(error) => Answer::new(format!("{sent}; the caller an error")).with(error),
    })
}
