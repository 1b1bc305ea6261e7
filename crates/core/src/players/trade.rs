//! How a trade goes on after each answer: once for all drivers, without any I/O.

use std::time::Duration;

use super::{Player, PlayerId, Trade};
use crate::{Error, ErrorKind, Result, Retry, RetryPolicy};

/// The name that errors carry.
const OPERATION: &str = "trade";

/// One trade on its way: a driver runs what [`Step`] asks for and reports the answer.
///
/// ```text
/// let mut attempt = Attempt::new(trade)?;
/// loop {
///     let affected = run(sql::TRADE, attempt.parameters());
///     match attempt.after_update(affected)? {
///         Step::Done => return Ok(()),
///         Step::Pause(time) => sleep(time),
///         Step::Explain => attempt.after_read(&run(sql::SIDES, (buyer, seller))?)?,
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Attempt {
    trade: Trade,
    conflicts: Retry,
    refused: bool,
}

/// What a trade needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is done.
    Done,
    /// A pause, then the statement again: it met a conflict.
    Pause(Duration),
    /// Both players' rows: it was refused, and they say why.
    Explain,
}

impl Attempt {
    /// A trade that may be sent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when buyer and seller are the same (a self-join would mint coins) or an amount is
    /// not positive.
    pub fn new(trade: Trade) -> Result<Self> {
        let refuse = |message: &'static str| Err(refusal(ErrorKind::InvalidInput, message.to_owned()));
        if trade.buyer == trade.seller {
            return refuse("buyer and seller are the same player");
        }
        if trade.goods <= 0 || trade.price <= 0 {
            return refuse("goods and price must be more than 0");
        }
        Ok(Self { trade, conflicts: RetryPolicy::statement().start(), refused: false })
    }

    /// The parameters of [`sql::TRADE`](super::sql::TRADE), in order; all fit the drivers' widest integer.
    #[must_use]
    pub fn parameters(&self) -> [i64; 10] {
        let Trade { buyer, seller, goods, price } = self.trade;
        let (goods, price) = (i64::from(goods), i64::from(price));
        [buyer.0, seller.0, price, goods, price, goods, price, goods, price, goods]
    }

    /// After the statement affected this many rows, or failed.
    ///
    /// # Errors
    /// What failed, unless it was a conflict that is worth another try.
    pub fn after_update(&mut self, affected: Result<u64>) -> Result<Step> {
        match affected {
            Ok(0) => Ok(Step::Explain),
            Ok(_) => Ok(Step::Done),
            Err(error) => self.conflicts.after(error).map(Step::Pause),
        }
    }

    /// After a refusal, with the rows of both players.
    ///
    /// # Errors
    /// Why the trade was refused. `Ok` when the rows now allow it, so that the statement is worth one more try.
    pub fn after_read(&mut self, sides: &[Player]) -> Result<()> {
        let Trade { buyer, seller, goods, price } = self.trade;
        let side = |role: &str, id: PlayerId| {
            let found = sides.iter().find(|player| player.id == id);
            found.ok_or_else(|| refusal(ErrorKind::NotFound, format!("no player has the {role}'s id {id}")))
        };
        let (buyer, seller) = (side("buyer", buyer)?, side("seller", seller)?);
        if buyer.coins < price {
            let message = format!("the buyer has {} coins and the price is {price}", buyer.coins);
            return Err(refusal(ErrorKind::InsufficientCoins, message));
        }
        if seller.goods < goods {
            let message = format!("the seller has {} goods and {goods} were asked for", seller.goods);
            return Err(refusal(ErrorKind::InsufficientGoods, message));
        }
        if seller.coins.checked_add(price).is_none() || buyer.goods.checked_add(goods).is_none() {
            return Err(Error::refused(OPERATION, ErrorKind::OutOfRange));
        }
        if std::mem::replace(&mut self.refused, true) {
            let message = "both players keep changing; nothing was applied, so it can be tried again";
            return Err(refusal(ErrorKind::Conflict, message.to_owned()));
        }
        Ok(())
    }
}

fn refusal(kind: ErrorKind, message: String) -> Error {
    Error::new(kind, format!("{OPERATION}: {message}")).with_operation(OPERATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRADE: Trade = Trade { buyer: PlayerId(1), seller: PlayerId(2), goods: 10, price: 500 };

    fn player(id: i64, coins: i32, goods: i32) -> Player {
        Player { id: PlayerId(id), name: format!("p{id}"), coins, goods }
    }

    #[test]
    fn a_refusal_says_why() {
        let why = |sides: &[Player]| {
            Attempt::new(TRADE).expect("valid").after_read(sides).expect_err("must be refused").kind()
        };
        assert_eq!(why(&[player(1, 499, 0), player(2, 0, 10)]), ErrorKind::InsufficientCoins);
        assert_eq!(why(&[player(1, 500, 0), player(2, 0, 9)]), ErrorKind::InsufficientGoods);
        assert_eq!(why(&[player(1, 500, i32::MAX - 9), player(2, 0, 10)]), ErrorKind::OutOfRange);
        assert_eq!(why(&[player(1, 500, 0), player(2, i32::MAX - 499, 10)]), ErrorKind::OutOfRange);
        assert_eq!(why(&[player(1, 500, 0)]), ErrorKind::NotFound);
        assert_eq!(why(&[]), ErrorKind::NotFound);
    }

    #[test]
    fn a_refusal_that_no_longer_holds_is_tried_once_more() {
        let mut attempt = Attempt::new(TRADE).expect("valid");
        let sides = [player(2, 0, 10), player(1, 500, 0)];
        assert!(attempt.after_read(&sides).is_ok());
        assert_eq!(attempt.after_read(&sides).expect_err("gives up").kind(), ErrorKind::Conflict);
    }

    #[test]
    fn a_conflict_is_tried_again() {
        let mut attempt = Attempt::new(TRADE).expect("valid");
        let conflict = Error::new(ErrorKind::Conflict, "deadlock");
        assert!(matches!(attempt.after_update(Err(conflict)), Ok(Step::Pause(_))));
        assert!(attempt.after_update(Err(Error::new(ErrorKind::ConnectionLost, "lost"))).is_err());
        assert_eq!(attempt.after_update(Ok(2)).expect("done"), Step::Done);
    }

    #[test]
    fn what_would_mint_coins_is_never_sent() {
        for trade in [
            Trade { seller: TRADE.buyer, ..TRADE },
            Trade { goods: 0, ..TRADE },
            Trade { goods: -1, ..TRADE },
            Trade { price: 0, ..TRADE },
            Trade { price: i32::MIN, ..TRADE },
        ] {
            assert_eq!(Attempt::new(trade).expect_err("must be refused").kind(), ErrorKind::InvalidInput);
        }
    }
}
