//! The store itself: its name, its server, its end.

use tidb_connect_core::ErrorKind;

use super::{schema, table};
use crate::{
    Failure, Store,
    failure::{equal, holds, refused},
};

/// A store says the same name of its driver at any time.
pub async fn driver_has_one_name(store: &Store) -> Result<(), Failure> {
    let name = store.driver();
    holds("the driver's name is not empty", !name.is_empty())?;
    table(store, [("a", 1, 2)]).await?;
    equal("the driver's name later", store.driver(), name)
}

/// The version is not empty, and asking for it needs no table.
pub async fn server_version_is_given(store: &Store) -> Result<(), Failure> {
    holds("the server's version is not empty", !store.server_version().await?.is_empty())
}

/// The server of an open store answers, and the counters of its pool are possible.
pub async fn status_of_an_open_store_is_well(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    let status = store.status().await;
    status.server?;
    let pool = status.pool;
    holds(&format!("idle connections are open ones, which are at most the maximum: {pool:?}"), {
        pool.idle <= pool.size && pool.size <= pool.max
    })?;
    equal("the callers that wait for a connection", pool.waiting, 0)
}

/// Whatever is called after `close` says that the store is closed.
pub async fn calls_after_close_are_closed(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    store.close().await?;
    let mut calls = schema::every_call(store).await;
    calls.push(("create_table", store.create_table().await));
    calls.push(("drop_table", store.drop_table().await));
    calls.push(("server_version", store.server_version().await.map(drop)));
    for (operation, result) in calls {
        refused(&format!("{operation} after close"), result, ErrorKind::Closed)?;
    }
    Ok(())
}

/// A closed store is not healthy, and says why.
pub async fn status_after_close_is_closed(store: &Store) -> Result<(), Failure> {
    store.close().await?;
    refused("the server's status after close", store.status().await.server, ErrorKind::Closed)?;
    Ok(())
}

/// `close` can be called again.
pub async fn closing_twice_is_no_error(store: &Store) -> Result<(), Failure> {
    table(store, [("a", 1, 2)]).await?;
    store.close().await?;
    Ok(store.close().await?)
}
