//! Who is measured.

mod bare;
mod load_data;
mod mysql;
mod mysql_async;
mod sqlx;

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;
use futures_util::{TryStreamExt, future::BoxFuture};
use tidb_connect_core::{
    BoxError, ConnectionConfig, Error, ErrorKind, Result,
    players::{Batches, PlayerStore, PlayerStoreExt},
};
use tidb_connect_mysql::{BlockingStore, MysqlStore};
use tidb_connect_mysql_async::MysqlAsyncStore;
use tidb_connect_sqlx::SqlxStore;
use tokio::task::spawn_blocking;

use bare::{Bare, HasPool, Held, Pooled};
use load_data::LoadData;

use crate::{Operation, Workload};

/// Does what is asked of it; how long that takes is measured.
#[async_trait]
pub trait Subject: Debug + Send + Sync + 'static {
    /// Its name in the report: a crate's, and what is special.
    fn name(&self) -> &str;

    /// The name of the subject that it is compared with, if there is one.
    fn baseline(&self) -> Option<&str> {
        None
    }

    /// Whether its operations block the thread, so that each task needs one of its own.
    fn blocks(&self) -> bool {
        false
    }

    /// Does it.
    ///
    /// # Errors
    /// When it is not done; also when a player was not found who is there.
    async fn operate(&self, operation: &Operation) -> Result<(), BoxError>;

    /// Closes its connections, where dropping it is not enough.
    async fn close(&self) {}
}

/// A store.
#[derive(Debug)]
pub struct Store {
    name: String,
    baseline: Option<String>,
    store: Arc<dyn PlayerStore>,
}

impl Store {
    /// A subject that does what is asked of it through `store`.
    #[must_use]
    pub fn new(name: impl Into<String>, baseline: Option<String>, store: Arc<dyn PlayerStore>) -> Self {
        Self { name: name.into(), baseline, store }
    }
}

#[async_trait]
impl Subject for Store {
    fn name(&self) -> &str {
        &self.name
    }

    fn baseline(&self) -> Option<&str> {
        self.baseline.as_deref()
    }

    async fn operate(&self, operation: &Operation) -> Result<(), BoxError> {
        match operation {
            Operation::Find(id) => found(self.store.find(*id).await?),
            Operation::FindByName(name) => found(self.store.find_by_name(name).await?),
            Operation::Scan(page) => found(self.store.players(None, *page).try_fold(None, last).await?),
            Operation::Trade(trade) => Ok(self.store.trade(trade).await?),
            Operation::Create(player) => Ok(self.store.create(player).await.map(drop)?),
            Operation::CreateMany(players) => Ok(self.store.create_many(players).await.map(drop)?),
            Operation::Load(load) => {
                let batches = Batches::of(load.batch).in_flight(load.in_flight);
                Ok(self.store.load(load.players(), batches, |_| {}).await.map(drop)?)
            }
        }
    }

    async fn close(&self) {
        // The connections end with the run in any case.
        let _ = self.store.close().await;
    }
}

async fn last<T>(_: Option<T>, player: T) -> Result<Option<T>> {
    Ok(Some(player))
}

/// The synchronous interface of `tidb-connect-mysql`, for programs without an async runtime.
#[derive(Debug)]
struct Blocking {
    store: BlockingStore,
}

#[async_trait]
impl Subject for Blocking {
    fn name(&self) -> &str {
        "tidb-connect-mysql-blocking"
    }

    fn baseline(&self) -> Option<&str> {
        Some(tidb_connect_mysql::DRIVER)
    }

    fn blocks(&self) -> bool {
        true
    }

    async fn operate(&self, operation: &Operation) -> Result<(), BoxError> {
        match operation {
            Operation::Find(id) => found(self.store.find(*id)?),
            Operation::FindByName(name) => found(self.store.find_by_name(name)?),
            Operation::Scan(page) => {
                let mut after = None;
                loop {
                    let players = self.store.list(after, *page)?;
                    after = players.last().map(|player| player.id).or(after);
                    if players.len() < *page as usize {
                        return found(after);
                    }
                }
            }
            Operation::Trade(trade) => Ok(self.store.trade(trade)?),
            Operation::Create(player) => Ok(self.store.create(player).map(drop)?),
            Operation::CreateMany(players) => Ok(self.store.create_many(players).map(drop)?),
            Operation::Load(load) => {
                for players in load.batches() {
                    self.store.create_many(&players)?;
                }
                Ok(())
            }
        }
    }

    async fn close(&self) {
        let store = self.store.clone();
        // The connections end with the run in any case.
        let _ = spawn_blocking(move || store.close()).await;
    }
}

/// A subject that connects when it is awaited.
pub(crate) type Connecting<'a> = BoxFuture<'a, Result<Arc<dyn Subject>>>;

/// The subjects of a driver: the driver bare, this workspace's crate, the driver's own pool, and `LOAD DATA` where it is
/// comparable.
///
/// # Errors
/// [`Config`](ErrorKind::Config) for a driver that is not known.
pub(crate) fn connect<'a>(
    driver: &'a str,
    workload: Workload,
    config: &'a ConnectionConfig,
) -> Result<Vec<Connecting<'a>>> {
    Ok(match driver {
        tidb_connect_sqlx::DRIVER => vec![
            held::<::sqlx::MySqlConnection>(config),
            ours(driver, SqlxStore::connect(config)),
            pooled::<::sqlx::MySqlConnection>(config),
        ],
        tidb_connect_mysql::DRIVER => vec![
            held::<::mysql::Conn>(config),
            Box::pin(async {
                let store = BlockingStore::new(tidb_connect_mysql::Pool::new(config)?);
                Ok(Arc::new(Blocking { store }) as Arc<dyn Subject>)
            }),
            ours(driver, MysqlStore::connect(config)),
            pooled::<::mysql::Conn>(config),
        ],
        tidb_connect_mysql_async::DRIVER => {
            let mut subjects = vec![
                held::<::mysql_async::Conn>(config),
                ours(driver, MysqlAsyncStore::connect(config)),
                pooled::<::mysql_async::Conn>(config),
            ];
            if workload.is_bulk() {
                subjects.push(held::<LoadData>(config));
            }
            subjects
        }
        other => {
            let message = format!("{other} is no driver to measure: choose sqlx, mysql or mysql_async");
            return Err(Error::new(ErrorKind::Config, message));
        }
    })
}

fn held<C: Bare>(config: &ConnectionConfig) -> Connecting<'_> {
    Box::pin(async { Ok(Arc::new(Held::<C>::connect(config).await?) as Arc<dyn Subject>) })
}

fn pooled<C: HasPool>(config: &ConnectionConfig) -> Connecting<'_> {
    Box::pin(async { Ok(Arc::new(Pooled::<C>::new(config)?) as Arc<dyn Subject>) })
}

fn ours<'a, S: PlayerStore + 'static>(
    driver: &'a str,
    store: impl Future<Output = Result<S>> + Send + 'a,
) -> Connecting<'a> {
    Box::pin(async move {
        let name = format!("tidb-connect-{}", driver.replace('_', "-"));
        Ok(Arc::new(Store::new(name, Some(driver.to_owned()), Arc::new(store.await?))) as Arc<dyn Subject>)
    })
}

/// An answer to a question for somebody who is there.
fn found<T>(player: Option<T>) -> Result<(), BoxError> {
    player.map(drop).ok_or_else(|| "a player who is there was not found".into())
}
