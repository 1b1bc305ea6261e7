//! What is built on a store's methods, for every store.

use std::{error::Error as StdError, fmt, future::Future};

use futures_util::stream::{self, Stream, TryStreamExt};

use super::{NewPlayer, Player, PlayerId, PlayerStore};
use crate::Error;

/// Conveniences for every [`PlayerStore`], `dyn` ones included. Not to be implemented: all types that can have it do.
pub trait PlayerStoreExt: PlayerStore {
    /// Creates any number of players, `batch` a statement, and returns how many.
    ///
    /// Each batch is [`create_many`](PlayerStore::create_many), so atomic by itself and one round trip; the whole is
    /// not. Memory is bounded by one batch. A `batch` of 0 counts as 1, and one above
    /// [`MAX_ROWS`](super::sql::MAX_ROWS) as that. `on_progress` hears the number of players stored so far.
    ///
    /// # Errors
    /// The first batch that fails ends it; [`LoadError`] says what is stored.
    fn load<I>(
        &self,
        players: I,
        batch: usize,
        mut on_progress: impl FnMut(u64) + Send,
    ) -> impl Future<Output = Result<u64, LoadError>> + Send
    where
        I: IntoIterator<Item = NewPlayer> + Send,
        I::IntoIter: Send,
    {
        async move {
            let (batch, mut stored) = (batch.clamp(1, super::sql::MAX_ROWS), 0);
            let mut players = players.into_iter();
            let mut rows = Vec::with_capacity(batch);
            loop {
                rows.clear();
                rows.extend(players.by_ref().take(batch));
                if rows.is_empty() {
                    return Ok(stored);
                }
                match self.create_many(&rows).await {
                    Ok(created) => stored += created,
                    Err(cause) => return Err(LoadError { stored, failed: rows.len() as u64, cause }),
                }
                on_progress(stored);
            }
        }
    }

    /// All players after `after`, or from the first, in the order of their ids, fetched `page` at a time.
    ///
    /// Memory is bounded by one page. Rows that are created or deleted meanwhile are seen or not; no row is seen twice.
    /// After an error, start again after the last player seen.
    fn players(
        &self,
        after: Option<PlayerId>,
        page: u32,
    ) -> impl Stream<Item = Result<Player, Error>> + Send + Unpin + '_ {
        let page = page.max(1);
        let pages = stream::try_unfold(Some(after), move |from| async move {
            let Some(after) = from else { return Ok(None) };
            let players = self.list(after, page).await?;
            // A page that is not full was the last one, which saves the round trip for an empty one.
            let next = players.last().filter(|_| players.len() == page as usize).map(|last| Some(last.id));
            Ok(Some((stream::iter(players.into_iter().map(Ok)), next)))
        });
        Box::pin(pages.try_flatten())
    }
}

impl<S: PlayerStore + ?Sized> PlayerStoreExt for S {}

/// A [`load`](PlayerStoreExt::load) that ended early.
#[derive(Debug)]
pub struct LoadError {
    /// How many players are stored for certain.
    pub stored: u64,
    /// How many were in the batch that failed; they follow the stored ones.
    pub failed: u64,
    /// Why the batch failed. When its outcome is [`Unknown`](crate::Outcome::Unknown), that batch may be stored as well.
    pub cause: Error,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, failed, cause } = self;
        let fate = match cause.outcome() {
            crate::Outcome::Unknown => "are stored or not, which is unknown",
            _ => "are not stored",
        };
        write!(f, "load: {stored} players are stored, the {failed} after them {fate}")
    }
}

impl StdError for LoadError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}
