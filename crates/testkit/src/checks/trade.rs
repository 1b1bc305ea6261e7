//! One trade at a time.

use tidb_connect_core::{
    ErrorKind,
    players::{Player, PlayerId, Trade},
};

use super::{ABSENT, refuses, table};
use crate::{Failure, Store, failure::equal};

/// `buyer` takes `goods` from `seller` for `price`.
fn between(buyer: &Player, seller: &Player, goods: i32, price: i32) -> Trade {
    Trade { buyer: buyer.id, seller: seller.id, goods, price }
}

/// What these players have by now: coins, goods.
async fn holdings(store: &Store, players: &[&Player]) -> Result<Vec<(i32, i32)>, Failure> {
    let mut holdings = Vec::new();
    for player in players {
        match store.find(player.id).await? {
            Some(found) => holdings.push((found.coins, found.goods)),
            None => return Err(Failure::new(format!("the player {player} is gone"))),
        }
    }
    Ok(holdings)
}

/// A trade moves coins one way and goods the other, of these two players only.
pub async fn trade_moves_coins_and_goods(store: &Store) -> Result<(), Failure> {
    let [a, b, c] = table(store, [("a", 1000, 20), ("b", 700, 30), ("c", 500, 40)]).await?;
    let players = [&a, &b, &c];
    store.trade(&between(&b, &a, 7, 300)).await?;
    equal(
        "coins and goods after the first trade",
        holdings(store, &players).await?,
        [(1300, 13), (400, 37), (500, 40)],
    )?;
    store.trade(&between(&a, &b, 7, 300)).await?;
    equal("coins and goods after its reverse", holdings(store, &players).await?, [(1000, 20), (700, 30), (500, 40)])
}

/// The last coin and the last good can be traded.
pub async fn trade_of_all_that_there_is_is_allowed(store: &Store) -> Result<(), Failure> {
    let [buyer, seller] = table(store, [("buyer", 500, 0), ("seller", 0, 10)]).await?;
    store.trade(&between(&buyer, &seller, 10, 500)).await?;
    equal("coins and goods of buyer and seller", holdings(store, &[&buyer, &seller]).await?, [(0, 10), (500, 0)])
}

/// One coin too few refuses a trade.
pub async fn trade_refuses_too_few_coins(store: &Store) -> Result<(), Failure> {
    let [buyer, seller] = table(store, [("buyer", 499, 0), ("seller", 0, 10)]).await?;
    let trade = between(&buyer, &seller, 10, 500);
    refuses(store, "a trade with a coin too few", ErrorKind::InsufficientCoins, store.trade(&trade)).await
}

/// One good too few refuses a trade.
pub async fn trade_refuses_too_few_goods(store: &Store) -> Result<(), Failure> {
    let [buyer, seller] = table(store, [("buyer", 500, 0), ("seller", 0, 9)]).await?;
    let trade = between(&buyer, &seller, 10, 500);
    refuses(store, "a trade with a good too few", ErrorKind::InsufficientGoods, store.trade(&trade)).await
}

/// Where coins and goods are both too few, the coins are the reason.
pub async fn trade_asks_for_coins_first(store: &Store) -> Result<(), Failure> {
    let [buyer, seller] = table(store, [("buyer", 499, 0), ("seller", 0, 9)]).await?;
    let trade = between(&buyer, &seller, 10, 500);
    refuses(store, "a trade with coins and goods too few", ErrorKind::InsufficientCoins, store.trade(&trade)).await
}

/// A trade needs both players.
pub async fn trade_with_an_absent_player_is_not_found(store: &Store) -> Result<(), Failure> {
    let [player] = table(store, [("a", 500, 10)]).await?;
    let trade = between(&player, &player, 1, 1);
    for (what, trade) in [
        ("an absent buyer", Trade { buyer: ABSENT, ..trade }),
        ("an absent seller", Trade { seller: ABSENT, ..trade }),
        ("two absent players", Trade { buyer: ABSENT, seller: PlayerId(i64::MAX - 1), ..trade }),
        ("an absent seller and too few coins", Trade { seller: ABSENT, price: 501, ..trade }),
    ] {
        refuses(store, &format!("a trade with {what}"), ErrorKind::NotFound, store.trade(&trade)).await?;
    }
    Ok(())
}

/// Trading with oneself, which a join of the table with itself would take for minting coins, is refused.
pub async fn trade_with_oneself_is_refused(store: &Store) -> Result<(), Failure> {
    let [player] = table(store, [("a", 500, 10)]).await?;
    let trade = between(&player, &player, 1, 100);
    refuses(store, "a trade with oneself", ErrorKind::InvalidInput, store.trade(&trade)).await
}

/// Nothing is given away, and nothing is traded backwards.
pub async fn trade_refuses_amounts_that_are_not_positive(store: &Store) -> Result<(), Failure> {
    let [buyer, seller] = table(store, [("buyer", 500, 10), ("seller", 500, 10)]).await?;
    for (goods, price) in [(0, 1), (1, 0), (0, 0), (-1, 1), (1, -1), (-1, -1), (i32::MIN, 1), (1, i32::MIN)] {
        let (what, trade) = (format!("a trade of {goods} goods for {price}"), between(&buyer, &seller, goods, price));
        refuses(store, &what, ErrorKind::InvalidInput, store.trade(&trade)).await?;
    }
    Ok(())
}

/// What would not fit its column is refused; what just fits is not.
pub async fn trade_refuses_sums_that_do_not_fit(store: &Store) -> Result<(), Failure> {
    let players = [("plain", 500, 500), ("many coins", i32::MAX - 9, 500), ("many goods", 500, i32::MAX - 9)];
    let [plain, coins, goods] = table(store, players).await?;
    let kind = ErrorKind::OutOfRange;
    let trade = between(&plain, &coins, 1, 10);
    refuses(store, "a trade that gives the seller 2^31 coins", kind, store.trade(&trade)).await?;
    let trade = between(&goods, &plain, 10, 1);
    refuses(store, "a trade that gives the buyer 2^31 goods", kind, store.trade(&trade)).await?;
    store.trade(&between(&plain, &coins, 1, 9)).await?;
    store.trade(&between(&goods, &plain, 9, 1)).await?;
    let after = holdings(store, &[&plain, &coins, &goods]).await?;
    equal("everyone's coins and goods", after, [(492, 492), (i32::MAX, 499), (499, i32::MAX)])
}
