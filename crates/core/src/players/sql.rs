//! The SQL of [`PlayerStore`](super::PlayerStore), once for all drivers.
//!
//! Statements without parameters are sent as text (one round trip), the others are prepared (one more on their first
//! use on a connection).

use super::PlayerId;

/// Most rows in one [`create_many`]: a prepared statement has at most 65,535 parameters (server error 1390).
pub const MAX_ROWS: usize = 65_535 / 3;

/// Plain `CREATE TABLE`, so that an existing table is an error and not taken over.
///
/// The character set is named because MariaDB's and MySQL's defaults would not tell `a` from `A`, as TiDB's does.
pub const CREATE_TABLE: &str = "CREATE TABLE players (\
     id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     name VARCHAR(32) NOT NULL UNIQUE, \
     coins INT NOT NULL, \
     goods INT NOT NULL\
     ) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

/// Fails when the table is not there.
pub const DROP_TABLE: &str = "DROP TABLE players";

/// Name, coins, goods.
pub const CREATE: &str = "INSERT INTO players (name, coins, goods) VALUES (?, ?, ?)";

/// Id.
pub const FIND: &str = "SELECT id, name, coins, goods FROM players WHERE id = ?";

/// Name.
pub const FIND_BY_NAME: &str = "SELECT id, name, coins, goods FROM players WHERE name = ?";

/// Id to start after ([`after`]), most rows.
pub const LIST: &str = "SELECT id, name, coins, goods FROM players WHERE id > ? ORDER BY id LIMIT ?";

/// No parameters.
pub const COUNT: &str = "SELECT COUNT(*) FROM players";

/// Name, coins, goods, id.
pub const UPDATE: &str = "UPDATE players SET name = ?, coins = ?, goods = ? WHERE id = ?";

/// Id.
pub const DELETE: &str = "DELETE FROM players WHERE id = ?";

/// Buyer, seller, then price and goods four times: see [`Attempt::parameters`](super::Attempt::parameters).
///
/// Moves coins and goods of both players or of nobody, in one statement and so in one round trip. Two rows are
/// affected, or none when the trade is not possible. The last guards keep a sum from overflowing, which a server whose
/// `sql_mode` is not strict would cut off, and what is added to NULL from being lost.
pub const TRADE: &str = "UPDATE players b JOIN players s ON b.id = ? AND s.id = ? AND b.id <> s.id \
     SET b.coins = b.coins - ?, b.goods = b.goods + ?, s.coins = s.coins + ?, s.goods = s.goods - ? \
     WHERE b.coins >= ? AND s.goods >= ? AND s.coins <= 2147483647 - ? AND b.goods <= 2147483647 - ?";

/// Buyer, seller: both sides of a trade, to say why it was refused.
pub const SIDES: &str = "SELECT id, name, coins, goods FROM players WHERE id IN (?, ?)";

/// No parameters.
pub const SERVER_VERSION: &str = "SELECT VERSION()";

/// The first parameter of [`LIST`].
#[must_use]
pub fn after(id: Option<PlayerId>) -> i64 {
    id.map_or(i64::MIN, |id| id.0)
}

/// [`CREATE`] for `rows` rows at once; each row's name, coins and goods follow one another.
#[must_use]
pub fn create_many(rows: usize) -> String {
    let mut sql = String::with_capacity(CREATE.len() + rows.saturating_sub(1) * ", (?, ?, ?)".len());
    sql.push_str(CREATE);
    for _ in 1..rows {
        sql.push_str(", (?, ?, ?)");
    }
    sql
}

#[cfg(test)]
mod tests {
    #[test]
    fn create_many_has_three_parameters_a_row() {
        assert_eq!(super::create_many(1), super::CREATE);
        assert_eq!(super::create_many(3).matches('?').count(), 9);
        assert!(super::MAX_ROWS * 3 <= usize::from(u16::MAX));
    }
}
