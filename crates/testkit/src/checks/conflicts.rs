//! Changes that meet a conflict with another transaction, which is forced on each of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, try_join_all};
use tidb_connect_core::{
    ErrorKind, Outcome, Result as StoreResult,
    players::{LoadError, MemoryStore, NewPlayer, Player, PlayerStoreExt, Trade},
};
use tidb_connect_wire::{Answer, CommandKind, Fault, Point, Proxy, Refusal};

use super::{everyone, table};
use crate::{
    Failure, Server, Store,
    failure::{equal, holds, refused},
};

/// A change that the contract has a method for, or that is built on one.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// The method's name.
    pub name: &'static str,
    /// Calls it, on a store that has a buyer and a seller; for `create_table`, on a store without a table.
    call: for<'a> fn(&'a Store, &'a [Player; 2]) -> BoxFuture<'a, StoreResult<()>>,
}

macro_rules! changes {
    ($($name:ident: |$store:ident, $players:pat_param| $call:expr;)+) => {
        &[$(Change {
            name: stringify!($name),
            call: |$store, $players| Box::pin(async move { $call.await }),
        }),+]
    };
}

/// Every change.
pub const CHANGES: &[Change] = changes! {
    create_table: |store, _| store.create_table();
    drop_table: |store, _| store.drop_table();
    create: |store, _| async { store.create(&NewPlayer::new("new", 1, 2)).await.map(drop) };
    create_many: |store, _| async { store.create_many(&new_players()).await.map(drop) };
    update: |store, [buyer, _]| store.update(&Player { coins: 7, ..buyer.clone() });
    delete: |store, [_, seller]| store.delete(seller.id);
    trade: |store, [buyer, seller]| store.trade(&Trade { buyer: buyer.id, seller: seller.id, goods: 3, price: 5 });
    load: |store, _| async { store.load(new_players(), 1, |_| ()).await.map(drop).map_err(LoadError::into_cause) };
};

fn new_players() -> [NewPlayer; 2] {
    [NewPlayer::new("new", 1, 2), NewPlayer::new("newer", 3, 4)]
}

/// What servers say when they have undone a statement because of another transaction.
const CONFLICTS: &[Refusal] = &[
    conflict(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction"),
    conflict(9007, "HY000", "Write conflict, txnStartTS=1, conflictStartTS=2, reason=Optimistic [try again later]"),
    conflict(8002, "HY000", "[1] can not retry select for update statement"),
    conflict(8022, "HY000", "Error: KV error safe to retry [try again later]"),
    conflict(8028, "HY000", "Information schema is changed during the execution of the statement [try again later]"),
    conflict(1105, "HY000", "pessimistic lock retry limit reached"),
];

const fn conflict(code: u16, sqlstate: &'static str, text: &'static str) -> Refusal {
    Refusal { code, sqlstate: Some(sqlstate), text }
}

/// How long the contract has a store retry a conflict that lasts.
const RETRIED_FOR: Duration = Duration::from_secs(10);

/// More conflicts than a store can meet in that time, with its pauses.
const LASTING: usize = 5_000;

/// Lets a store's statements meet conflicts. Such a statement changes nothing.
pub trait Conflicts: Sync {
    /// From now on, `times` statements of each sort meet `conflict`.
    fn arm(&self, conflict: Refusal, times: usize);

    /// Lets statements pass again, and returns how many have met a conflict since the last call.
    fn disarm(&self) -> usize;
}

impl Conflicts for Proxy {
    fn arm(&self, conflict: Refusal, times: usize) {
        for kind in [CommandKind::Query, CommandKind::Prepare, CommandKind::Execute] {
            for _ in 0..times {
                self.arm(Point::Command(kind), Fault::AfterRequest(0, Answer::Error(conflict)));
            }
        }
    }

    fn disarm(&self) -> usize {
        self.disarm()
    }
}

/// Each change goes through in spite of conflicts, and is applied once.
pub async fn changes_are_retried(_: &Store, server: &Server) -> Result<(), Failure> {
    let (store, proxy) = behind_a_proxy(server).await?;
    each_change_is_retried(&store, &proxy).await?;
    Ok(store.close().await?)
}

/// A conflict that lasts ends each change after 10 s, and nothing is applied.
pub async fn lasting_conflicts_end_after_ten_seconds(store: &Store, server: &Server) -> Result<(), Failure> {
    let players = &buyer_and_seller(store).await?;
    let before = everyone(store).await?;
    try_join_all(CHANGES.iter().map(|change| async move {
        let (store, proxy) = behind_a_proxy(server).await?;
        a_lasting_conflict_ends(&store, &proxy, change, players).await?;
        Ok::<_, Failure>(store.close().await?)
    }))
    .await?;
    equal("the players after conflicts that lasted", everyone(store).await?, before)
}

/// [`changes_are_retried`], wherever the conflicts come from.
pub async fn each_change_is_retried(store: &Store, conflicts: &dyn Conflicts) -> Result<(), Failure> {
    for change in CHANGES {
        // The first conflict once, the second twice, and so on.
        for (times, conflict) in (1..).zip(CONFLICTS) {
            let what = format!("{} that meets error {} {times} times", change.name, conflict.code);
            let model: Store = Arc::new(MemoryStore::new());
            let (came, expected) = (prepare(store, change).await?, prepare(&model, change).await?);
            conflicts.arm(*conflict, times);
            let result = (change.call)(store, &came).await;
            let met = conflicts.disarm();
            result.map_err(|error| Failure::caused(&format!("{what} failed:"), &error))?;
            holds(&format!("{what} met {met} conflicts"), met >= times)?;
            (change.call)(&model, &expected).await?;
            equal(&format!("the players after {what}"), contents(store).await?, contents(&model).await?)?;
        }
    }
    Ok(())
}

/// [`lasting_conflicts_end_after_ten_seconds`] for one change, wherever the conflicts come from.
pub async fn a_lasting_conflict_ends(
    store: &Store,
    conflicts: &dyn Conflicts,
    change: &Change,
    players: &[Player; 2],
) -> Result<(), Failure> {
    conflicts.arm(CONFLICTS[0], LASTING);
    let started = Instant::now();
    let result = (change.call)(store, players).await;
    let (took, met) = (started.elapsed(), conflicts.disarm());
    let what = format!("{} whose conflict lasts", change.name);
    let error = refused(&what, result, ErrorKind::Conflict)?;
    equal(&format!("the outcome of {what}"), error.outcome(), Outcome::Retryable)?;
    holds(&format!("{what} ended after {took:?} and {met} conflicts"), took >= RETRIED_FOR)
}

/// A store on the server of the check, with one connection, through a proxy that can let conflicts strike.
async fn behind_a_proxy(server: &Server) -> Result<(Store, Proxy), Failure> {
    let (proxy, config) = (server.proxy()?, server.config());
    // A probe would be a command of its own.
    let pool = config.pool().clone().with_max_connections(1).with_probe_after(Duration::MAX);
    let config = config.clone().with_host("127.0.0.1").with_port(proxy.addr().port()).with_pool(pool);
    let store = server.open(config).await?;
    store.server_version().await?;
    Ok((store, proxy))
}

/// A table as `change` needs it, with a buyer and a seller.
async fn prepare(store: &Store, change: &Change) -> Result<[Player; 2], Failure> {
    drop_table(store).await?;
    let players = buyer_and_seller(store).await?;
    if change.name == "create_table" {
        drop_table(store).await?;
    }
    Ok(players)
}

async fn buyer_and_seller(store: &Store) -> Result<[Player; 2], Failure> {
    table(store, [("buyer", 10, 0), ("seller", 0, 10)]).await
}

async fn drop_table(store: &Store) -> StoreResult<()> {
    match store.drop_table().await {
        Err(error) if error.kind() == ErrorKind::TableMissing => Ok(()),
        result => result,
    }
}

/// What is stored, without ids; `None` when there is no table.
async fn contents(store: &Store) -> StoreResult<Option<Vec<(String, i32, i32)>>> {
    match everyone(store).await {
        Err(error) if error.kind() == ErrorKind::TableMissing => Ok(None),
        players => {
            Ok(Some(players?.into_iter().map(|Player { name, coins, goods, .. }| (name, coins, goods)).collect()))
        }
    }
}
