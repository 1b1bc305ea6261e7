//! A store that counts the calls of another one.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use tidb_connect_core::{
    Result,
    players::{NewPlayer, Player, PlayerId, PlayerStore, Status, Trade},
};

/// `S`, with its calls counted by the names of the methods.
#[derive(Debug)]
pub struct Counted<S> {
    store: S,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl<S> Counted<S> {
    /// Counts from now on.
    pub fn new(store: S) -> Self {
        Self { store, calls: Mutex::default() }
    }

    /// How often each method has been called, in the order of their names.
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn call(&self, method: &'static str) -> &S {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(method).or_default() += 1;
        &self.store
    }
}

#[async_trait]
impl<S: PlayerStore> PlayerStore for Counted<S> {
    fn driver(&self) -> &'static str {
        self.store.driver()
    }

    async fn server_version(&self) -> Result<String> {
        self.call("server_version").server_version().await
    }

    async fn create_table(&self) -> Result<()> {
        self.call("create_table").create_table().await
    }

    async fn drop_table(&self) -> Result<()> {
        self.call("drop_table").drop_table().await
    }

    async fn create(&self, player: &NewPlayer) -> Result<Player> {
        self.call("create").create(player).await
    }

    async fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
        self.call("create_many").create_many(players).await
    }

    async fn find(&self, id: PlayerId) -> Result<Option<Player>> {
        self.call("find").find(id).await
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        self.call("find_by_name").find_by_name(name).await
    }

    async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
        self.call("list").list(after, limit).await
    }

    async fn count(&self) -> Result<u64> {
        self.call("count").count().await
    }

    async fn update(&self, player: &Player) -> Result<()> {
        self.call("update").update(player).await
    }

    async fn delete(&self, id: PlayerId) -> Result<()> {
        self.call("delete").delete(id).await
    }

    async fn trade(&self, trade: &Trade) -> Result<()> {
        self.call("trade").trade(trade).await
    }

    async fn status(&self) -> Status {
        self.call("status").status().await
    }

    async fn close(&self) -> Result<()> {
        self.call("close").close().await
    }
}
