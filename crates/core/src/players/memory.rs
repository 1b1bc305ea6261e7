//! The contract as a program.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::{Attempt, NewPlayer, Player, PlayerId, PlayerStore, Status, Trade, check_name, check_rows, is_valid_name};
use crate::{Error, ErrorKind, Result, pool::PoolStatus};

/// A store in this process's memory: the executable specification of [`PlayerStore`], and a stand-in for examples.
///
/// Clones share the players.
///
/// ```
/// # fn main() -> tidb_connect_core::Result<()> {
/// # futures_util::FutureExt::now_or_never(async {
/// use tidb_connect_core::players::{MemoryStore, NewPlayer, PlayerStore};
///
/// let store = MemoryStore::new();
/// store.create_table().await?;
/// let player = store.create(&NewPlayer::new("test", 1, 1)).await?;
/// assert_eq!(store.find(player.id).await?, Some(player));
/// # Ok(()) }).expect("never waits")
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    closed: bool,
    /// `None` while there is no table.
    players: Option<BTreeMap<PlayerId, Player>>,
    last_id: i64,
}

impl State {
    fn players(&mut self, operation: &'static str) -> Result<&mut BTreeMap<PlayerId, Player>> {
        self.players.as_mut().ok_or_else(|| Error::refused(operation, ErrorKind::TableMissing))
    }

    fn insert(&mut self, operation: &'static str, player: &NewPlayer) -> Result<Player> {
        let id = PlayerId(self.last_id + 1);
        let players = self.players(operation)?;
        if players.values().any(|other| other.name == player.name) {
            return Err(Error::refused(operation, ErrorKind::AlreadyExists));
        }
        let player = player.with_id(id);
        players.insert(id, player.clone());
        self.last_id = id.0;
        Ok(player)
    }
}

impl MemoryStore {
    /// A store without a table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed { Err(Error::closed()) } else { Ok(state) }
    }
}

#[async_trait]
impl PlayerStore for MemoryStore {
    fn driver(&self) -> &'static str {
        "memory"
    }

    async fn server_version(&self) -> Result<String> {
        self.state().map(|_| concat!("tidb-connect-memory-", env!("CARGO_PKG_VERSION")).to_owned())
    }

    async fn create_table(&self) -> Result<()> {
        let mut state = self.state()?;
        if state.players.is_some() {
            return Err(Error::refused("create_table", ErrorKind::TableExists));
        }
        *state = State { players: Some(BTreeMap::new()), ..State::default() };
        Ok(())
    }

    async fn drop_table(&self) -> Result<()> {
        let mut state = self.state()?;
        state.players("drop_table")?;
        state.players = None;
        Ok(())
    }

    async fn create(&self, player: &NewPlayer) -> Result<Player> {
        check_name("create", &player.name)?;
        self.state()?.insert("create", player)
    }

    async fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
        check_rows("create_many", players)?;
        if players.is_empty() {
            return Ok(0);
        }
        let mut state = self.state()?;
        let before = state.players("create_many")?.clone();
        for player in players {
            if let Err(error) = state.insert("create_many", player) {
                state.players = Some(before);
                return Err(error);
            }
        }
        Ok(players.len() as u64)
    }

    async fn find(&self, id: PlayerId) -> Result<Option<Player>> {
        Ok(self.state()?.players("find")?.get(&id).cloned())
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        if !is_valid_name(name) {
            return Ok(None);
        }
        Ok(self.state()?.players("find_by_name")?.values().find(|player| player.name == name).cloned())
    }

    async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
        let mut state = self.state()?;
        let players = state.players("list")?.values();
        Ok(players.filter(|player| after.is_none_or(|after| player.id > after)).take(limit as usize).cloned().collect())
    }

    async fn count(&self) -> Result<u64> {
        Ok(self.state()?.players("count")?.len() as u64)
    }

    async fn update(&self, player: &Player) -> Result<()> {
        check_name("update", &player.name)?;
        let mut state = self.state()?;
        let players = state.players("update")?;
        if !players.contains_key(&player.id) {
            return Err(Error::refused("update", ErrorKind::NotFound));
        }
        if players.values().any(|other| other.name == player.name && other.id != player.id) {
            return Err(Error::refused("update", ErrorKind::AlreadyExists));
        }
        players.insert(player.id, player.clone());
        Ok(())
    }

    async fn delete(&self, id: PlayerId) -> Result<()> {
        let removed = self.state()?.players("delete")?.remove(&id);
        removed.map(drop).ok_or_else(|| Error::refused("delete", ErrorKind::NotFound))
    }

    async fn trade(&self, trade: &Trade) -> Result<()> {
        let mut attempt = Attempt::new(*trade)?;
        let mut state = self.state()?;
        let players = state.players("trade")?;
        let sides = [trade.buyer, trade.seller].map(|id| players.get(&id).cloned());
        let sides: Vec<Player> = sides.into_iter().flatten().collect();
        attempt.after_read(&sides)?;
        players.extend(sides.into_iter().map(|mut player| {
            let sign = if player.id == trade.buyer { 1 } else { -1 };
            player.coins -= sign * trade.price;
            player.goods += sign * trade.goods;
            (player.id, player)
        }));
        Ok(())
    }

    async fn status(&self) -> Status {
        Status { pool: PoolStatus::default(), server: self.state().map(drop) }
    }

    async fn close(&self) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        Ok(())
    }
}
