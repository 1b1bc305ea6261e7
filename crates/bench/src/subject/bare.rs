//! A driver without this workspace's crate for it.

use std::{
    fmt,
    sync::{Condvar, Mutex, PoisonError},
};

use async_trait::async_trait;
use tidb_connect_core::{BoxError, ConnectionConfig, Error, ErrorKind, Result, players::NewPlayer};
use tokio::sync::Semaphore;

use super::Subject;
use crate::Operation;

/// What an expert does with a driver's connection: the statements of the stores, prepared once, and rows as tuples.
pub(super) trait Bare: Send + Sized + 'static {
    /// The driver's name.
    const DRIVER: &'static str;
    /// The subject's name.
    const NAME: &'static str = Self::DRIVER;
    /// Whether calls block the thread.
    const BLOCKS: bool = false;

    fn connect(config: &ConnectionConfig) -> impl Future<Output = Result<Self, BoxError>> + Send;

    fn operate(&mut self, operation: &Operation) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// With one statement.
    fn create_many(&mut self, players: &[NewPlayer]) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// A driver that has a pool of its own.
pub(super) trait HasPool: Bare {
    type Pool: Send + Sync + 'static;

    /// The pool, of the size that `config` says.
    fn pool(config: &ConnectionConfig) -> Result<Self::Pool>;

    /// Does it on a connection of the pool.
    fn operate_pooled(pool: &Self::Pool, operation: &Operation) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// A driver's connections, open and handed out as they are: nothing is asked of the server between two operations, and
/// nothing is closed or opened. The least that any pool can be.
pub(super) struct Held<C> {
    free: Mutex<Vec<C>>,
    /// For tasks, which must not block a thread: first come, first served.
    permits: Semaphore,
    /// For threads: whoever is running may go on, since to wake another would cost more than the operation.
    returned: Condvar,
}

impl<C: Bare> Held<C> {
    pub(super) async fn connect(config: &ConnectionConfig) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..config.pool().max_connections() {
            connections.push(C::connect(config).await.map_err(|cause| unreachable(C::DRIVER, cause))?);
        }
        let permits = Semaphore::new(connections.len());
        Ok(Self { free: Mutex::new(connections), permits, returned: Condvar::new() })
    }

    /// Waits for a connection on this thread.
    fn wait(&self) -> Option<C> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.returned.wait_while(free, |free| free.is_empty());
        free.unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, connection: C) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        self.returned.notify_one();
    }
}

#[async_trait]
impl<C: Bare> Subject for Held<C> {
    fn name(&self) -> &str {
        C::NAME
    }

    fn baseline(&self) -> Option<&str> {
        (C::NAME != C::DRIVER).then_some(C::DRIVER)
    }

    fn blocks(&self) -> bool {
        C::BLOCKS
    }

    async fn operate(&self, operation: &Operation) -> Result<(), BoxError> {
        let (_permit, connection) = if C::BLOCKS {
            (None, self.wait())
        } else {
            let permit = self.permits.acquire().await?;
            (Some(permit), self.free.lock().unwrap_or_else(PoisonError::into_inner).pop())
        };
        let mut connection = connection.ok_or("a connection was lost")?;
        let done = connection.operate(operation).await;
        self.give_back(connection);
        done
    }
}

impl<C> fmt::Debug for Held<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// A driver's own pool, with the options that this workspace's crate gives to programs that keep one.
pub(super) struct Pooled<C: HasPool> {
    name: String,
    pool: C::Pool,
}

impl<C: HasPool> Pooled<C> {
    pub(super) fn new(config: &ConnectionConfig) -> Result<Self> {
        Ok(Self { name: format!("{}-pool", C::DRIVER), pool: C::pool(config)? })
    }
}

#[async_trait]
impl<C: HasPool> Subject for Pooled<C> {
    fn name(&self) -> &str {
        &self.name
    }

    fn baseline(&self) -> Option<&str> {
        Some(C::DRIVER)
    }

    fn blocks(&self) -> bool {
        C::BLOCKS
    }

    async fn operate(&self, operation: &Operation) -> Result<(), BoxError> {
        C::operate_pooled(&self.pool, operation).await
    }
}

impl<C: HasPool> fmt::Debug for Pooled<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Whether a trade was made, by the rows that its statement affected.
pub(super) fn traded(affected: u64) -> Result<(), BoxError> {
    if affected == 0 { Err("a trade was refused that is possible".into()) } else { Ok(()) }
}

pub(super) fn unreachable(driver: &'static str, cause: BoxError) -> Error {
    Error::new(ErrorKind::Unreachable, format!("{driver} could not connect")).with_source(cause)
}
