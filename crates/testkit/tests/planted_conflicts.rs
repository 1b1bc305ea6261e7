//! The checks of conflicts find a store that leaves a single change without its retry.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use tidb_connect_core::{
    Error, ErrorKind, Result, RetryPolicy,
    players::{MemoryStore, NewPlayer, Player, PlayerId, PlayerStore, Status, Trade},
};
use tidb_connect_testkit::{
    Failure, Store,
    checks::conflicts::{CHANGES, Change, Conflicts, a_lasting_conflict_ends, each_change_is_retried},
};
use tidb_connect_wire::Refusal;
use tokio::time::sleep;

/// What a store gets wrong when this method meets a conflict.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bug {
    DoesNotRetry(&'static str),
    RetriesOnce(&'static str),
    AppliesEachAttempt(&'static str),
    StopsTooSoon(&'static str),
}

/// A store in memory whose changes can meet conflicts, and which retries them, but for its bug.
#[derive(Clone, Debug, Default)]
struct Conflicting {
    bug: Option<Bug>,
    store: MemoryStore,
    armed: Arc<AtomicUsize>,
    met: Arc<AtomicUsize>,
}

impl Conflicts for Conflicting {
    fn arm(&self, _: Refusal, times: usize) {
        self.armed.store(times, SeqCst);
    }

    fn disarm(&self) -> usize {
        self.armed.store(0, SeqCst);
        self.met.swap(0, SeqCst)
    }
}

impl Conflicting {
    fn with(bug: Option<Bug>) -> Self {
        Self { bug, ..Self::default() }
    }

    async fn change<T, F: Future<Output = Result<T>>>(&self, name: &'static str, run: impl Fn() -> F) -> Result<T> {
        let has = |bug: fn(&'static str) -> Bug| self.bug == Some(bug(name));
        let policy = RetryPolicy::statement();
        let mut retry = if has(Bug::DoesNotRetry) {
            policy.with_max_attempts(1)
        } else if has(Bug::RetriesOnce) {
            policy.with_max_attempts(2)
        } else if has(Bug::StopsTooSoon) {
            policy.with_deadline(Duration::from_millis(100))
        } else {
            policy
        }
        .start();
        while self.armed.load(SeqCst) > 0 {
            self.armed.fetch_sub(1, SeqCst);
            self.met.fetch_add(1, SeqCst);
            if has(Bug::AppliesEachAttempt) {
                run().await?;
            }
            sleep(retry.after(Error::new(ErrorKind::Conflict, "a conflict"))?).await;
        }
        run().await
    }
}

/// The methods of the contract, which the compiler compares with the trait, each a `read` or a `change`.
macro_rules! contract {
    ($($kind:ident $method:ident($($argument:ident: $type:ty),*) -> $returned:ty;)+) => {
        const METHODS: &[(&str, &str)] = &[$((stringify!($kind), stringify!($method))),+];

        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl PlayerStore for Conflicting {
            fn driver(&self) -> &'static str {
                self.store.driver()
            }

            $(async fn $method(&self $(, $argument: $type)*) -> $returned {
                contract!($kind self $method $($argument)*)
            })+
        }
    };
    (read $self:ident $method:ident $($argument:ident)*) => {
        $self.store.$method($($argument),*).await
    };
    (change $self:ident $method:ident $($argument:ident)*) => {
        $self.change(stringify!($method), || $self.store.$method($($argument),*)).await
    };
}

contract! {
    read server_version() -> Result<String>;
    change create_table() -> Result<()>;
    change drop_table() -> Result<()>;
    change create(player: &NewPlayer) -> Result<Player>;
    change create_many(players: &[NewPlayer]) -> Result<u64>;
    read find(id: PlayerId) -> Result<Option<Player>>;
    read find_by_name(name: &str) -> Result<Option<Player>>;
    read list(after: Option<PlayerId>, limit: u32) -> Result<Vec<Player>>;
    read count() -> Result<u64>;
    change update(player: &Player) -> Result<()>;
    change delete(id: PlayerId) -> Result<()>;
    change trade(trade: &Trade) -> Result<()>;
    read status() -> Status;
    read close() -> Result<()>;
}

/// The methods that change something: `load` is built on one of them.
fn changes() -> impl Iterator<Item = &'static Change> {
    CHANGES.iter().filter(|change| change.name != "load")
}

async fn retried(bug: Option<Bug>) -> std::result::Result<(), Failure> {
    let conflicting = Conflicting::with(bug);
    let store: Store = Arc::new(conflicting.clone());
    each_change_is_retried(&store, &conflicting).await
}

async fn ends(change: &Change, bug: Option<Bug>) -> std::result::Result<(), Failure> {
    let conflicting = Conflicting::with(bug);
    conflicting.create_table().await?;
    let players =
        [conflicting.create(&NewPlayer::new("a", 9, 9)).await?, conflicting.create(&NewPlayer::new("b", 9, 9)).await?];
    let store: Store = Arc::new(conflicting.clone());
    a_lasting_conflict_ends(&store, &conflicting, change, &players).await
}

#[test]
fn the_checks_force_a_conflict_on_every_change_of_the_contract() {
    let contract: BTreeSet<_> = METHODS.iter().filter(|(kind, _)| *kind == "change").map(|(_, name)| *name).collect();
    let checked: BTreeSet<_> = changes().map(|change| change.name).collect();
    assert_eq!(checked, contract, "left are the changes that the checks make, right those of the contract");
}

#[tokio::test]
async fn a_store_that_retries_every_change_passes() {
    assert!(retried(None).await.is_ok());
}

#[tokio::test]
async fn a_change_that_is_not_retried_is_found() {
    for change in changes() {
        for bug in [Bug::DoesNotRetry, Bug::RetriesOnce] {
            let failure = retried(Some(bug(change.name))).await.expect_err(change.name).to_string();
            assert!(failure.starts_with(&format!("{} that meets", change.name)), "{failure}");
        }
    }
}

/// To store a player's values twice is the same as once.
#[tokio::test]
async fn a_change_that_is_applied_twice_is_found() {
    for change in changes().filter(|change| change.name != "update") {
        let failure = retried(Some(Bug::AppliesEachAttempt(change.name))).await.expect_err(change.name).to_string();
        assert!(failure.contains(change.name), "{failure}");
    }
}

#[tokio::test]
async fn a_change_that_is_not_retried_for_long_enough_is_found() {
    for change in changes() {
        let failure = ends(change, Some(Bug::StopsTooSoon(change.name))).await.expect_err(change.name).to_string();
        assert!(failure.contains("ended after"), "{failure}");
    }
}

#[tokio::test]
async fn a_change_that_is_retried_for_ten_seconds_passes() {
    let trade = changes().find(|change| change.name == "trade").expect("a change");
    assert!(ends(trade, None).await.is_ok());
}
