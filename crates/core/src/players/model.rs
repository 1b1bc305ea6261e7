//! What is stored, and what may be stored.

use std::fmt;

use super::sql::MAX_ROWS;
use crate::{Error, ErrorKind, Result};

/// The longest name, in characters: the column is `VARCHAR(32)`.
const MAX_NAME: usize = 32;

/// A player's id, given by the server: unique, never reused, but neither consecutive nor in order of creation.
///
/// Each `tidb-server` takes ids in blocks of 30,000, so two connections through different servers interleave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayerId(pub i64);

impl PlayerId {
    /// The id that the server gave to an inserted row, as the protocol carries it.
    #[must_use]
    pub fn from_last_insert_id(id: u64) -> Self {
        // A BIGINT column gives no id above i64::MAX.
        Self(i64::try_from(id).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for PlayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stored player. `Display` is the line that TiDB's tutorials print.
///
/// ```
/// use tidb_connect_core::players::{Player, PlayerId};
///
/// let player = Player { id: PlayerId(1), name: "test".into(), coins: 1, goods: 1 };
/// assert_eq!(player.to_string(), "Player(name=test, coins=1, goods=1)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Player {
    /// Given by the server.
    pub id: PlayerId,
    /// Unique; 1 to 32 characters, no space at the end.
    pub name: String,
    /// What the player can pay with.
    pub coins: i32,
    /// What the player can sell.
    pub goods: i32,
}

impl Player {
    /// A player from the columns of a row, any of which may hold NULL in a table made elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedNull`], naming the column.
    pub fn from_columns(
        operation: &'static str,
        id: Option<i64>,
        name: Option<String>,
        coins: Option<i32>,
        goods: Option<i32>,
    ) -> Result<Self> {
        let null = |column| {
            let message = format!("{operation}: the column {column} holds NULL: give the row a value there");
            Error::new(ErrorKind::UnexpectedNull, message).with_operation(operation)
        };
        Ok(Self {
            id: PlayerId(id.ok_or_else(|| null("id"))?),
            name: name.ok_or_else(|| null("name"))?,
            coins: coins.ok_or_else(|| null("coins"))?,
            goods: goods.ok_or_else(|| null("goods"))?,
        })
    }
}

impl fmt::Display for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Player(name={}, coins={}, goods={})", self.name, self.coins, self.goods)
    }
}

/// A player to be created: a [`Player`] without an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewPlayer {
    /// Unique; 1 to 32 characters, no space at the end.
    pub name: String,
    /// What the player can pay with.
    pub coins: i32,
    /// What the player can sell.
    pub goods: i32,
}

impl NewPlayer {
    /// A player to be created.
    pub fn new(name: impl Into<String>, coins: i32, goods: i32) -> Self {
        Self { name: name.into(), coins, goods }
    }

    /// The stored player that this one becomes under `id`.
    #[must_use]
    pub fn with_id(&self, id: PlayerId) -> Player {
        Player { id, name: self.name.clone(), coins: self.coins, goods: self.goods }
    }
}

/// Whether a player can have this name: 1 to 32 characters, no space at the end.
///
/// A space at the end does not count in comparisons (`utf8mb4_bin` pads with spaces), so a server would take `"a "` for
/// `"a"`: such a name is refused when it is stored, and not found when it is looked up.
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    // A character takes a byte or more, so that most names need no count.
    let is_short = name.len() <= MAX_NAME || name.chars().nth(MAX_NAME).is_none();
    is_short && !name.is_empty() && !name.ends_with(' ')
}

/// Refuses a name that no player can have.
///
/// # Errors
/// [`ErrorKind::InvalidInput`].
pub fn check_name(operation: &'static str, name: &str) -> Result<()> {
    if is_valid_name(name) {
        return Ok(());
    }
    let message =
        format!("{operation}: the name {name:?} must have 1 to {MAX_NAME} characters and no space at the end");
    Err(Error::new(ErrorKind::InvalidInput, message).with_operation(operation))
}

/// Refuses rows that one statement cannot create.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for a name that no player can have, or more than [`MAX_ROWS`](super::sql::MAX_ROWS) rows.
pub fn check_rows(operation: &'static str, players: &[NewPlayer]) -> Result<()> {
    if players.len() > MAX_ROWS {
        let message = format!("{operation}: {} rows are more than the {MAX_ROWS} of one statement", players.len());
        return Err(Error::new(ErrorKind::InvalidInput, message).with_operation(operation));
    }
    players.iter().try_for_each(|player| check_name(operation, &player.name))
}

/// Refuses a change that found no row; `rows` counts rows found, whether or not their values changed.
///
/// # Errors
/// [`ErrorKind::NotFound`].
pub fn check_found(operation: &'static str, rows: u64) -> Result<()> {
    if rows == 0 { Err(Error::refused(operation, ErrorKind::NotFound)) } else { Ok(()) }
}

/// A trade: `buyer` pays `price` coins to `seller` for `goods` goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trade {
    /// Who pays.
    pub buyer: PlayerId,
    /// Who delivers.
    pub seller: PlayerId,
    /// How many goods; more than 0.
    pub goods: i32,
    /// How many coins for all of them together; more than 0.
    pub price: i32,
}
