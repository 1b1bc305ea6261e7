//! The contract of every store.

use std::{fmt::Debug, sync::Arc};

use async_trait::async_trait;

use super::{NewPlayer, Player, PlayerId, Trade};
use crate::{Result, pool::PoolStatus};

/// Players in a table named `players`, behind any driver.
///
/// # Contract
/// The promises below bind every implementation, and the checks of `tidb-connect-testkit` test them.
///
/// - **Failure.** An [`Error`](crate::Error) means that nothing was changed, except when its
///   [outcome](crate::Error::outcome) is [`Unknown`](crate::Outcome::Unknown): then the change may have been made, and
///   the caller has to look. Nothing is changed in part.
/// - **Conflicts.** A change that meets another transaction's, and that the server undid, is made again within for up to
///   10 s; only then it is [`Conflict`](crate::ErrorKind::Conflict).
/// - **Absence.** A look-up that finds no row is `Ok(None)`. Changing a row that is not there is
///   [`NotFound`](crate::ErrorKind::NotFound).
/// - **Names.** 1 to 32 characters, no space at the end, compared character by character; anything else is refused as
///   [`InvalidInput`](crate::ErrorKind::InvalidInput) before anything is sent.
/// - **NULL.** Where a table made elsewhere holds NULL, reading that row is
///   [`UnexpectedNull`](crate::ErrorKind::UnexpectedNull), which names the column.
/// - **Dropping a call.** The connection that it was using is closed, not returned: no statement goes on unseen, and the
///   next caller gets a clean connection. Whether a dropped write was applied is unknown.
/// - **Sharing.** All methods take `&self` and may run at the same time, each on a connection of its own. Clones of a
///   store share its pool.
///
/// # Implementing it
/// Implement every method; what can be built on them is in [`PlayerStoreExt`](super::PlayerStoreExt).
/// [`MemoryStore`](super::MemoryStore) is the contract as a program.
#[async_trait]
pub trait PlayerStore: Debug + Send + Sync + 'static {
    /// The driver's name: `sqlx`, `mysql`, `mysql_async`, `memory`, or an implementer's own.
    fn driver(&self) -> &'static str;

    /// The server's version as it reports it, such as `8.0.11-TiDB-v8.5.3` or `10.11.14-MariaDB`.
    ///
    /// # Errors
    /// When the server cannot be asked.
    async fn server_version(&self) -> Result<String>;

    /// Creates the table `players`: `BIGINT` ids that the server gives, no column nullable, names unique.
    ///
    /// # Errors
    /// [`TableExists`](crate::ErrorKind::TableExists) when there is one already, whoever made it; it is left alone.
    async fn create_table(&self) -> Result<()>;

    /// Drops the table `players` with all its rows.
    ///
    /// # Errors
    /// [`TableMissing`](crate::ErrorKind::TableMissing) when there is none.
    async fn drop_table(&self) -> Result<()>;

    /// Creates a player and returns it with the id that the server gave.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when the name is taken,
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when it cannot be stored.
    async fn create(&self, player: &NewPlayer) -> Result<Player>;

    /// Creates all `players` or none, in one statement, and returns how many.
    ///
    /// For no players nothing is sent. Ids are not returned, since nothing promises that they are consecutive. At most
    /// [`MAX_ROWS`](super::sql::MAX_ROWS) (21,845) at once; TiDB also limits the memory of a statement, which a small
    /// quota can make the first limit ([`LimitExceeded`](crate::ErrorKind::LimitExceeded), server error 8175). For more,
    /// use [`load`](super::PlayerStoreExt::load).
    ///
    /// # Errors
    /// As [`create`](Self::create), also when a name stands twice in `players`;
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for too many rows.
    async fn create_many(&self, players: &[NewPlayer]) -> Result<u64>;

    /// The player with this id.
    ///
    /// # Errors
    /// When the server cannot be asked, or the row cannot be read.
    async fn find(&self, id: PlayerId) -> Result<Option<Player>>;

    /// The player with this name; nobody is looked for under a name that none can have.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    async fn find_by_name(&self, name: &str) -> Result<Option<Player>>;

    /// At most `limit` players in the order of their ids, starting after `after`, or from the first.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>>;

    /// How many players there are.
    ///
    /// # Errors
    /// When the server cannot be asked.
    async fn count(&self) -> Result<u64>;

    /// Stores a player's name, coins and goods under its id; storing what is there already is no error.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when no player has this id, whatever the name;
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when another one has the name.
    async fn update(&self, player: &Player) -> Result<()>;

    /// Deletes the player with this id.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when no player has this id.
    async fn delete(&self, id: PlayerId) -> Result<()>;

    /// Moves goods from the seller to the buyer and coins the other way, both or nothing.
    ///
    /// # Errors
    /// The trade is refused, and nothing changed, for the first of these reasons that holds:
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when both sides are the same player or an amount is not positive,
    /// [`NotFound`](crate::ErrorKind::NotFound) when one of them is not there,
    /// [`InsufficientCoins`](crate::ErrorKind::InsufficientCoins),
    /// [`InsufficientGoods`](crate::ErrorKind::InsufficientGoods), or
    /// [`OutOfRange`](crate::ErrorKind::OutOfRange) when a sum would not fit its column.
    async fn trade(&self, trade: &Trade) -> Result<()>;

    /// The pool's counters and whether the server answers: enough for a health check.
    ///
    /// Costs at most one round trip. Does not wait for a connection longer than the acquire limit.
    async fn status(&self) -> Status;

    /// Refuses new calls, waits for those under way and tells the server goodbye.
    ///
    /// Calls made afterwards fail with [`Closed`](crate::ErrorKind::Closed). Closing twice is no error.
    ///
    /// # Errors
    /// [`TimedOut`](crate::ErrorKind::TimedOut) when calls are still under way after the acquire limit; the store is
    /// closed for new ones all the same.
    async fn close(&self) -> Result<()>;
}

/// What [`PlayerStore::status`] reports.
#[derive(Debug)]
#[non_exhaustive]
pub struct Status {
    /// The pool's counters; all zero for a store without a pool.
    pub pool: PoolStatus,
    /// Whether the server answered, or why not.
    pub server: Result<()>,
}

impl Status {
    /// The counters of a store's pool, and whether its server answered.
    #[must_use]
    pub fn new(pool: PoolStatus, server: Result<()>) -> Self {
        Self { pool, server }
    }
}

macro_rules! forward_to_inner {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<S: PlayerStore + ?Sized> PlayerStore for $pointer<S> {
            fn driver(&self) -> &'static str {
                (**self).driver()
            }
            async fn server_version(&self) -> Result<String> {
                (**self).server_version().await
            }
            async fn create_table(&self) -> Result<()> {
                (**self).create_table().await
            }
            async fn drop_table(&self) -> Result<()> {
                (**self).drop_table().await
            }
            async fn create(&self, player: &NewPlayer) -> Result<Player> {
                (**self).create(player).await
            }
            async fn create_many(&self, players: &[NewPlayer]) -> Result<u64> {
                (**self).create_many(players).await
            }
            async fn find(&self, id: PlayerId) -> Result<Option<Player>> {
                (**self).find(id).await
            }
            async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
                (**self).find_by_name(name).await
            }
            async fn list(&self, after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>> {
                (**self).list(after, limit).await
            }
            async fn count(&self) -> Result<u64> {
                (**self).count().await
            }
            async fn update(&self, player: &Player) -> Result<()> {
                (**self).update(player).await
            }
            async fn delete(&self, id: PlayerId) -> Result<()> {
                (**self).delete(id).await
            }
            async fn trade(&self, trade: &Trade) -> Result<()> {
                (**self).trade(trade).await
            }
            async fn status(&self) -> Status {
                (**self).status().await
            }
            async fn close(&self) -> Result<()> {
                (**self).close().await
            }
        }
    };
}

forward_to_inner!(Arc);
forward_to_inner!(Box);
