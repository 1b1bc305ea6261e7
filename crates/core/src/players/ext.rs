//! What is built on a store's methods, for every store.

use std::{error::Error as StdError, fmt, future::Future, ops::Range};

use futures_util::stream::{self, FuturesUnordered, Stream, StreamExt, TryStreamExt};

use super::{NewPlayer, Player, PlayerId, PlayerStore};
use crate::Error;

/// Conveniences for every [`PlayerStore`], `dyn` ones included. Not to be implemented: all types that can have it do.
pub trait PlayerStoreExt: PlayerStore {
    /// Creates any number of players, many a statement, and returns how many.
    ///
    /// `batches` is a number of rows, or a [`Batches`] that also has several statements under way at once, on as many
    /// connections. Each batch is [`create_many`](PlayerStore::create_many), so atomic by itself and one round trip; the
    /// whole is not. Memory is bounded by what is under way. `on_progress` hears the number of players stored so far.
    ///
    /// # Errors
    /// After a batch that fails none is begun, and those under way are waited for; [`LoadError`] says what is stored.
    fn load<I>(
        &self,
        players: I,
        batches: impl Into<Batches>,
        mut on_progress: impl FnMut(u64) + Send,
    ) -> impl Future<Output = Result<u64, LoadError>> + Send
    where
        I: IntoIterator<Item = NewPlayer> + Send,
        I::IntoIter: Send,
    {
        let Batches { rows, in_flight } = batches.into();
        async move {
            // An iterator may go on after an end that stood for an error.
            let (mut players, mut begun) = (players.into_iter().fuse(), 0);
            let (mut stored, mut failed) = (0, Vec::new());
            let mut under_way = FuturesUnordered::new();
            loop {
                while failed.is_empty() && under_way.len() < in_flight {
                    let batch: Vec<_> = players.by_ref().take(rows).collect();
                    if batch.is_empty() {
                        break;
                    }
                    let place = begun..begun + batch.len() as u64;
                    begun = place.end;
                    under_way.push(async move { (place, self.create_many(&batch).await) });
                }
                let Some((place, created)) = under_way.next().await else { break };
                match created {
                    Ok(created) => {
                        stored += created;
                        on_progress(stored);
                    }
                    Err(cause) => failed.push(FailedBatch { place, cause }),
                }
            }
            failed.sort_by_key(|batch| batch.place.start);
            if failed.is_empty() { Ok(stored) } else { Err(LoadError { stored, begun, failed }) }
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

/// How a [`load`](PlayerStoreExt::load) cuts its players into statements. From a number of rows, one statement at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    rows: usize,
    in_flight: usize,
}

impl Batches {
    /// So many rows a statement: at least 1, at most [`MAX_ROWS`](super::sql::MAX_ROWS).
    #[must_use]
    pub fn of(rows: usize) -> Self {
        Self { rows: rows.clamp(1, super::sql::MAX_ROWS), in_flight: 1 }
    }

    /// So many statements under way at once, at least 1, each on a connection of the pool's. Without this: 1.
    ///
    /// With more than one, the time for a round trip is paid once for all of them, and the order of ids is no longer that
    /// of the players.
    #[must_use]
    pub fn in_flight(mut self, statements: usize) -> Self {
        self.in_flight = statements.max(1);
        self
    }
}

/// 500 rows a statement, 4 statements at once: more of either gained little or nothing (measured on TiDB v8.5.3, see
/// `docs/performance.md`).
impl Default for Batches {
    fn default() -> Self {
        Self::of(500).in_flight(4)
    }
}

impl From<usize> for Batches {
    fn from(rows: usize) -> Self {
        Self::of(rows)
    }
}

/// A [`load`](PlayerStoreExt::load) that ended early.
#[derive(Debug)]
#[non_exhaustive]
pub struct LoadError {
    /// How many players are stored for certain: all that were begun, but those of the failed batches.
    pub stored: u64,
    /// How many of the players were begun, from the first; those after them were not tried.
    pub begun: u64,
    /// The batches that failed, at least one, in the order of the players.
    pub failed: Vec<FailedBatch>,
}

/// A batch of a [`load`](PlayerStoreExt::load) that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedBatch {
    /// Its players' places among all, from 0.
    pub place: Range<u64>,
    /// Why. When its outcome is [`Unknown`](crate::Outcome::Unknown), the batch may be stored.
    pub cause: Error,
}

impl LoadError {
    /// Why the first of the failed batches failed, for who does not go on with the others.
    #[must_use]
    pub fn into_cause(self) -> Error {
        let first = self.failed.into_iter().next();
        first.map_or_else(|| Error::new(crate::ErrorKind::Driver, "load: no batch failed"), |batch| batch.cause)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "load: {} players are stored", self.stored)?;
        for FailedBatch { place, cause } in &self.failed {
            let fate = match cause.outcome() {
                crate::Outcome::Unknown => "may be stored or not",
                _ => "are not stored",
            };
            write!(f, ", those from place {} to {} {fate}", place.start, place.end.saturating_sub(1))?;
        }
        Ok(())
    }
}

impl StdError for LoadError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.failed.first().map(|batch| &batch.cause as _)
    }
}
