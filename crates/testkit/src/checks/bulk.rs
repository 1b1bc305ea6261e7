//! Many players at a time.

use std::{collections::HashSet, iter};

use futures_util::{StreamExt, TryStreamExt};
use tidb_connect_core::{
    ErrorKind,
    players::{Batches, NewPlayer, Player, PlayerStoreExt, sql::MAX_ROWS},
};

use super::{everyone, refuses, table};
use crate::{
    Failure, Store,
    failure::{equal, holds},
};

/// `count` different players.
pub(super) fn crowd(count: i32) -> Vec<NewPlayer> {
    (0..count).map(|n| NewPlayer::new(format!("player {n}"), n, count - n)).collect()
}

/// Fails unless just these players are stored, whatever their ids are.
pub(super) async fn stores_exactly(store: &Store, expected: &[NewPlayer]) -> Result<(), Failure> {
    let new = |Player { name, coins, goods, .. }| NewPlayer { name, coins, goods };
    let stored: Vec<_> = everyone(store).await?.into_iter().map(new).collect();
    let [came, wanted] = [&stored[..], expected].map(|players| players.iter().collect::<HashSet<_>>());
    let missing: Vec<_> = wanted.difference(&came).collect();
    let unexpected: Vec<_> = came.difference(&wanted).collect();
    holds(&format!("these players are not stored: {missing:?}"), missing.is_empty())?;
    holds(&format!("these players should not be stored: {unexpected:?}"), unexpected.is_empty())?;
    equal("how many players are stored", stored.len(), expected.len())
}

/// Hundreds of rows in one call, each with its own values.
pub async fn create_many_stores_every_row(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    let (few, many) = (crowd(500), [NewPlayer::new("one more", -1, -2)]);
    equal("the result of create_many for 500 players", store.create_many(&few).await?, 500)?;
    equal("the result of create_many for 1 player", store.create_many(&many).await?, 1)?;
    stores_exactly(store, &[few, many.to_vec()].concat()).await
}

/// No rows are no error and no change.
pub async fn create_many_of_nothing_is_zero(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    equal("the result of create_many for no players", store.create_many(&[]).await?, 0)?;
    equal("the count afterwards", store.count().await?, 1)
}

/// A name twice in one call refuses the call as a whole.
pub async fn create_many_refuses_a_name_that_stands_twice(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    let mut players = crowd(100);
    players[60].name = players[40].name.clone();
    refuses(store, "create_many with a name twice", ErrorKind::AlreadyExists, store.create_many(&players)).await
}

/// A name that is stored already refuses the call as a whole.
pub async fn create_many_refuses_a_taken_name(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    let mut players = crowd(100);
    players[50].name = "a".into();
    refuses(store, "create_many with a taken name", ErrorKind::AlreadyExists, store.create_many(&players)).await
}

/// A name that cannot be stored refuses the call as a whole.
pub async fn create_many_refuses_a_name_that_cannot_be_stored(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    for name in ["", "b ", "a name of more than 32 characters"] {
        let mut players = crowd(100);
        players[50].name = name.into();
        let what = format!("create_many with the name {name:?}");
        refuses(store, &what, ErrorKind::InvalidInput, store.create_many(&players)).await?;
    }
    Ok(())
}

/// One row more than a statement can have is refused before it is sent.
pub async fn create_many_refuses_too_many_rows(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    let players: Vec<_> = (0..=MAX_ROWS).map(|n| NewPlayer::new(n.to_string(), 0, 0)).collect();
    let before = everyone(store).await?;
    match store.create_many(&players).await {
        Err(error) if error.kind() == ErrorKind::InvalidInput => {}
        Err(error) => return Err(error.into()),
        Ok(count) => return Err(Failure::new(format!("create_many stored {count} rows, more than MAX_ROWS"))),
    }
    equal("the players afterwards", everyone(store).await?, before)
}

/// `load` stores everything, batch after batch, and tells how far it is.
pub async fn load_stores_batch_after_batch(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    let (players, mut progress) = (crowd(110), Vec::new());
    equal("the result of load", store.load(players.clone(), 25, |stored| progress.push(stored)).await?, 110)?;
    equal("the progress of load", progress, [25, 50, 75, 100, 110])?;
    stores_exactly(store, &players).await?;
    equal("the result of load for no players", store.load([], 25, |_| ()).await?, 0)
}

/// A batch that fails ends a `load`: those before are stored, that one is not, those after are not tried.
pub async fn load_ends_at_the_first_batch_that_fails(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    let (mut players, mut progress) = (crowd(50), Vec::new());
    players[27].name = players[3].name.clone();
    let Err(error) = store.load(players.clone(), 10, |stored| progress.push(stored)).await else {
        return Err(Failure::new("a load with a name twice must fail"));
    };
    equal("how many are stored for certain", error.stored, 20)?;
    equal("how many were begun", error.begun, 30)?;
    let places: Vec<_> = error.failed.iter().map(|batch| (batch.place.start, batch.place.end)).collect();
    equal("where the batch that failed is", places, [(20, 30)])?;
    equal("why it failed", error.into_cause().kind(), ErrorKind::AlreadyExists)?;
    equal("the progress until then", progress, [10, 20])?;
    stores_exactly(store, &players[..20]).await
}

/// A `load` of several statements at a time stores everything, too.
pub async fn load_in_parallel_stores_everything(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    let (players, mut progress) = (crowd(110), Vec::new());
    let batches = Batches::of(10).in_flight(4);
    equal("the result of load", store.load(players.clone(), batches, |stored| progress.push(stored)).await?, 110)?;
    equal("the progress of load", progress, (1..=11).map(|batch| batch * 10).collect::<Vec<u64>>())?;
    stores_exactly(store, &players).await
}

/// An iterator that would go on after its end, as one does that ends at an error, ends a `load` all the same.
pub async fn load_ends_where_its_iterator_first_does(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    let players = crowd(30);
    let mut places = 0..;
    let until_15 =
        iter::from_fn(|| places.next().filter(|place| *place != 15).and_then(|place| players.get(place).cloned()));
    equal("the result of load", store.load(until_15, Batches::of(10).in_flight(4), |_| ()).await?, 15)?;
    stores_exactly(store, &players[..15]).await
}

/// Where a batch of a `load` of several at a time fails, the report tells of every player whether it is stored.
pub async fn load_in_parallel_tells_what_is_stored(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    let mut players = crowd(200);
    for (place, same) in [(57, 3), (73, 5)] {
        players[place].name = players[same].name.clone();
    }
    let Err(error) = store.load(players.clone(), Batches::of(10).in_flight(4), |_| ()).await else {
        return Err(Failure::new("a load with a name twice must fail"));
    };
    holds("not everything was begun", error.begun < 200)?;
    let places = 0..error.begun;
    let stored = places.filter(|place| !error.failed.iter().any(|batch| batch.place.contains(place)));
    let stored: Vec<_> = stored.filter_map(|place| players.get(place as usize).cloned()).collect();
    equal("how many are stored for certain", error.stored, stored.len() as u64)?;
    stores_exactly(store, &stored).await
}

/// `players` streams every player once, in the order of ids, whatever the page is.
pub async fn players_come_once_each_over_pages(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    store.create_many(&crowd(30)).await?;
    let all = everyone(store).await?;
    holds("30 players are listed", all.len() == 30)?;
    for page in [0, 1, 7, 10, 29, 30, 31, u32::MAX] {
        // One more than there are: a store that repeats a page would never end.
        let streamed: Vec<Player> = store.players(None, page).take(all.len() + 1).try_collect().await?;
        equal(&format!("the players by pages of {page}"), &streamed, &all)?;
    }
    let rest: Vec<Player> = store.players(Some(all[11].id), 5).try_collect().await?;
    equal("the players after the twelfth", rest.as_slice(), &all[12..])
}
