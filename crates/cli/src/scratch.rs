//! A database of a command's own, of which nothing is left.

use std::time::Duration;

use tidb_connect_core::{ConnectionConfig, Error, ErrorKind, Result as CoreResult};
use tidb_connect_mysql_async::{Pool, connect, mysql_async::prelude::Queryable as _};
use tokio::time::timeout;

use crate::{
    failure::Failure,
    server::{Target, connected},
    signal::Interruption,
};

/// How long removing the database may take once the work has ended.
const CLEAN_UP: Duration = Duration::from_secs(30);

/// Does `work` in a new database `tidb_connect_<command>_…` of the target, and removes it, after Ctrl-C as well.
pub(crate) async fn in_scratch_database<T>(
    command: &str,
    target: impl Future<Output = Result<Target, Failure>>,
    interruption: &mut Interruption,
    work: impl AsyncFnOnce(&ConnectionConfig) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut target_in_use = None;
    let pool = tokio::select! {
        pool = async {
            let target = target_in_use.insert(target.await?);
            connected(&target.config, connect(&target.config)).await
        } => pool?,
        () = interruption.wait() => return Err(Failure::interrupted()),
    };
    // Not interrupted, so that it stays known whether the database is there. A signal that came meanwhile ends the work.
    let scratch = Scratch::create(command, pool).await?;
    let done = tokio::select! {
        done = work(&scratch.config) => done,
        () = interruption.wait() => Err(Failure::interrupted()),
    };
    let removed = timeout(CLEAN_UP, scratch.remove()).await.unwrap_or_else(|_| {
        let message = format!("the server does not answer: its database tidb_connect_{command}_… is still there");
        Err(Error::new(ErrorKind::TimedOut, message))
    });
    match (done, removed) {
        (Ok(done), removed) => removed.map(|()| done).map_err(Failure::from),
        (Err(failure), Ok(())) => Err(failure),
        (Err(failure), Err(error)) => Err(failure.with_note(error.to_string())),
    }
}

struct Scratch {
    /// Leads to the database.
    config: ConnectionConfig,
    /// Leads to the server.
    pool: Pool,
}

impl Scratch {
    async fn create(command: &str, pool: Pool) -> CoreResult<Self> {
        let (config, name) = (pool.config(), format!("tidb_connect_{command}_{:08x}", fastrand::u32(..)));
        let created = pool.get().await?.query_drop(format!("CREATE DATABASE {name}")).await;
        created.map_err(|error| {
            let user = config.user();
            let message = format!(
                "{command} works in a database of its own, and user '{user}' could not create one: grant it ALL on \
                 `tidb\\_connect\\_{command}\\_%`.*"
            );
            Error::new(ErrorKind::AccessDenied, message).with_source(error)
        })?;
        let config = config.clone().with_database(name);
        Ok(Self { config, pool })
    }

    async fn remove(self) -> CoreResult<()> {
        let name = self.config.database();
        let dropped = self.pool.get().await?.query_drop(format!("DROP DATABASE {name}")).await;
        dropped.map_err(|error| {
            let message = format!("the database {name} could not be removed: drop it yourself");
            Error::new(ErrorKind::Database, message).with_source(error)
        })?;
        self.pool.close().await
    }
}
