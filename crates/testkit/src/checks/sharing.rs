//! Many calls at once, and calls that are dropped.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    thread,
    time::Duration,
};

use futures_util::future::try_join_all;
use tidb_connect_core::{
    ErrorKind, Result as StoreResult,
    players::{NewPlayer, Player, Trade},
};

use super::{bulk, everyone, table};
use crate::{
    Failure, Store,
    failure::{equal, holds},
};

/// More than the connections of any store under test.
const TASKS: i32 = 16;

/// Runs `work` for every number below [`TASKS`], each on a task of its own.
async fn at_once<T, Fut>(store: &Store, work: impl Fn(Store, i32) -> Fut) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let tasks = (0..TASKS).map(|n| tokio::spawn(work(Arc::clone(store), n)));
    try_join_all(tasks).await.map_err(|panic| Failure::new(format!("a task of the check did not end: {panic}")))
}

/// Of many that want the same name, one gets it.
pub async fn creates_of_one_name_at_once_have_one_winner(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    let results = at_once(store, |store, n| async move { store.create(&NewPlayer::new("a", n, n)).await }).await?;
    let mut winners = Vec::new();
    for result in results {
        match result {
            Ok(player) => winners.push(player),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    equal("the winners of one name", winners.len(), 1)?;
    equal("the players stored", everyone(store).await?, winners)
}

/// Tasks that share a store, more than it has connections, do not get in each other's way.
pub async fn many_tasks_share_a_store(store: &Store) -> Result<(), Failure> {
    async fn live(store: Store, n: i32) -> Result<(), Failure> {
        let created = store.create(&NewPlayer::new(format!("player {n}"), n, n)).await?;
        equal("the player found", store.find(created.id).await?.as_ref(), Some(&created))?;
        let changed = Player { coins: -n, ..created };
        store.update(&changed).await?;
        equal("the player found by name", store.find_by_name(&changed.name).await?.as_ref(), Some(&changed))?;
        if n % 2 == 1 {
            store.delete(changed.id).await?;
        }
        Ok(())
    }
    store.create_table().await?;
    at_once(store, live).await?.into_iter().collect::<Result<(), _>>()?;
    let rest: Vec<_> = (0..TASKS).step_by(2).map(|n| NewPlayer::new(format!("player {n}"), -n, n)).collect();
    bulk::stores_exactly(store, &rest).await
}

/// Trades in both directions between two players, all possible in any order: every one succeeds, and nothing is lost.
pub async fn opposite_trades_at_once_lose_nothing(store: &Store) -> Result<(), Failure> {
    const ROUNDS: i32 = 5;
    let [a, b] = table(store, [("a", 10_000, 1_000), ("b", 10_000, 1_000)]).await?;
    let results = at_once(store, |store, n| {
        // One good more for even tasks, so that the sums after all of them differ from those before.
        let (buyer, seller, goods) = if n % 2 == 0 { (a.id, b.id, 2) } else { (b.id, a.id, 1) };
        let trade = Trade { buyer, seller, goods, price: 10 };
        async move {
            for _ in 0..ROUNDS {
                store.trade(&trade).await?;
            }
            StoreResult::Ok(())
        }
    });
    results.await?.into_iter().collect::<StoreResult<()>>()?;
    let moved = TASKS / 2 * ROUNDS;
    let expected = [(a.id, 10_000, 1_000 + moved), (b.id, 10_000, 1_000 - moved)];
    for (id, coins, goods) in expected {
        let found = store.find(id).await?.map(|player| (player.coins, player.goods));
        equal("coins and goods after all trades", found, Some((coins, goods)))?;
    }
    Ok(())
}

/// Many want the few goods of one seller: each good is sold once, the others hear that there are too few.
pub async fn competing_trades_sell_everything_once(store: &Store) -> Result<(), Failure> {
    const GOODS: i32 = 5;
    let [buyer, seller] = table(store, [("buyer", 1_000, 0), ("seller", 0, GOODS)]).await?;
    let trade = Trade { buyer: buyer.id, seller: seller.id, goods: 1, price: 10 };
    let results = at_once(store, |store, _| async move { store.trade(&trade).await });
    let mut sold = 0;
    for result in results.await? {
        match result {
            Ok(()) => sold += 1,
            Err(error) if error.kind() == ErrorKind::InsufficientGoods => {}
            Err(error) => return Err(error.into()),
        }
    }
    equal("the trades that succeeded", sold, GOODS)?;
    let buyer = Player { coins: 1_000 - 10 * GOODS, goods: GOODS, ..buyer };
    equal("the buyer", store.find(buyer.id).await?, Some(buyer))?;
    let seller = Player { coins: 10 * GOODS, goods: 0, ..seller };
    equal("the seller", store.find(seller.id).await?, Some(seller))
}

/// However often a list is read while others trade, the coins and goods in it add up.
pub async fn no_read_sees_half_a_trade(store: &Store) -> Result<(), Failure> {
    let [a, b] = table(store, [("a", 1_000, 1_000), ("b", 1_000, 1_000)]).await?;
    let results = at_once(store, |store, n| {
        let (buyer, seller) = if n % 2 == 0 { (a.id, b.id) } else { (b.id, a.id) };
        async move {
            for _ in 0..4 {
                if n % 4 < 2 {
                    store.trade(&Trade { buyer, seller, goods: 3, price: 7 }).await?;
                } else {
                    let sums = everyone(&store).await?.into_iter().map(|player| (player.coins, player.goods));
                    let sums = sums.fold((0, 0), |sum, player| (sum.0 + player.0, sum.1 + player.1));
                    equal("the sums of coins and goods while others trade", sums, (2_000, 2_000))?;
                }
            }
            Ok(())
        }
    });
    results.await?.into_iter().collect()
}

/// Calls dropped at any moment leave neither half a change nor a lock nor a hole in the pool.
pub async fn dropped_calls_leave_the_store_usable(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    let players = bulk::crowd(48);
    for (moment, player) in players.iter().enumerate() {
        abandon(store.create(player), moment).await;
    }
    for player in &players {
        match store.create(player).await {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
    }
    bulk::stores_exactly(store, &players).await?;
    for player in everyone(store).await? {
        store.update(&player).await?;
    }
    for result in at_once(store, |store, _| async move { store.count().await }).await? {
        equal("the count that each of many tasks reads", result?, 48)?;
    }
    Ok(())
}

/// A dropped trade was made or was not, and the next one goes through.
pub async fn dropped_trades_move_all_or_nothing(store: &Store) -> Result<(), Failure> {
    let [buyer, seller] = table(store, [("buyer", 1_000, 0), ("seller", 0, 1_000)]).await?;
    let trade = Trade { buyer: buyer.id, seller: seller.id, goods: 1, price: 1 };
    for moment in 0..32 {
        abandon(store.trade(&trade), moment).await;
        let holdings: Vec<_> = everyone(store).await?.into_iter().map(|player| (player.coins, player.goods)).collect();
        let whole = holdings.iter().any(|(coins, goods)| {
            let made = *goods;
            (0..=32).contains(&made) && *coins == 1_000 - made && holdings.contains(&(made, 1_000 - made))
        });
        holds(&format!("dropped trades of 1 good for 1 coin are whole; coins and goods are {holdings:?}"), whole)?;
    }
    store.trade(&trade).await?;
    Ok(())
}

/// Drops `call` at a moment that depends on `moment`: after one to four steps, and a little later than that, so that a
/// driver is interrupted before, between and after its messages.
async fn abandon(call: impl Future, moment: usize) {
    let mut steps = moment % 4;
    let mut call = pin!(call);
    poll_fn(|context| {
        if call.as_mut().poll(context).is_ready() || steps == 0 {
            return Poll::Ready(());
        }
        steps -= 1;
        Poll::Pending
    })
    .await;
    // Shorter than any timer of the runtime.
    thread::sleep(Duration::from_micros(100) * (moment as u32 % 5));
}
