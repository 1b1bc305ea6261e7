//! The table.

use tidb_connect_core::{
    ErrorKind, Result as StoreResult,
    players::{NewPlayer, Player, Trade},
};

use super::{ABSENT, everyone, refuses, table};
use crate::{
    Failure, Store,
    failure::{equal, refused},
};

/// After `create_table` there are no players.
pub async fn create_table_makes_an_empty_table(store: &Store) -> Result<(), Failure> {
    store.create_table().await?;
    equal("the number of players in a new table", store.count().await?, 0)?;
    equal("the players in a new table", everyone(store).await?, Vec::new())
}

/// A table that is there already is an error, and its rows stay.
pub async fn create_table_leaves_an_existing_table_alone(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    refuses(store, "creating a table that exists", ErrorKind::TableExists, store.create_table()).await
}

/// A dropped table takes its rows along: the next one is empty.
pub async fn drop_table_removes_the_rows(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    store.drop_table().await?;
    store.create_table().await?;
    equal("the players in a table that was dropped and created again", everyone(store).await?, Vec::new())
}

/// Dropping what is not there is an error, the first time and after a drop.
pub async fn drop_table_without_a_table_is_table_missing(store: &Store) -> Result<(), Failure> {
    refused("dropping a table that never was", store.drop_table().await, ErrorKind::TableMissing)?;
    store.create_table().await?;
    store.drop_table().await?;
    refused("dropping a table twice", store.drop_table().await, ErrorKind::TableMissing)?;
    Ok(())
}

/// Every call on players needs the table, also one that was prepared while there was one.
pub async fn calls_without_a_table_are_table_missing(store: &Store) -> Result<(), Failure> {
    for (operation, result) in every_call(store).await {
        refused(&format!("{operation} without a table"), result, ErrorKind::TableMissing)?;
    }
    store.create_table().await?;
    every_call(store).await;
    store.drop_table().await?;
    for (operation, result) in every_call(store).await {
        refused(&format!("{operation} after the table was dropped"), result, ErrorKind::TableMissing)?;
    }
    Ok(())
}

/// The result of every call that needs the table, by name, with arguments that are fine.
pub(super) async fn every_call(store: &Store) -> Vec<(&'static str, StoreResult<()>)> {
    let new = NewPlayer::new("a", 1, 2);
    let player: Player = new.with_id(ABSENT);
    let trade = Trade { buyer: player.id, seller: tidb_connect_core::players::PlayerId(1), goods: 1, price: 1 };
    vec![
        ("create", store.create(&new).await.map(drop)),
        ("create_many", store.create_many(&[new]).await.map(drop)),
        ("find", store.find(player.id).await.map(drop)),
        ("find_by_name", store.find_by_name("a").await.map(drop)),
        ("list", store.list(None, 10).await.map(drop)),
        ("count", store.count().await.map(drop)),
        ("update", store.update(&player).await),
        ("delete", store.delete(player.id).await),
        ("trade", store.trade(&trade).await),
    ]
}
