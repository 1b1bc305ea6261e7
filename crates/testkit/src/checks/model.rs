//! Any calls in any order, beside the contract as a program.

use std::{
    any::Any,
    collections::HashMap,
    env,
    fmt::Debug,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use proptest::{
    collection::vec,
    prelude::{Just, RngCore, Strategy, any, prop_oneof},
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, RngSeed, TestRunner},
};
use tidb_connect_core::{
    ErrorKind, Result as StoreResult,
    players::{MemoryStore, NewPlayer, Player, PlayerId, PlayerStore, Trade},
};

use super::{ABSENT, everyone};
use crate::{
    Failure, Store,
    failure::{contrast, holds},
};

/// How long sequences are tried on a server.
const TIME: Duration = Duration::from_secs(3);

/// The same when `PROPTEST_CASES` asks for a number of them: within the limit of any check, with the time to shrink.
const LONGEST_TIME: Duration = Duration::from_secs(80);

/// How long a sequence that fails is made smaller.
const TIME_TO_SHRINK: Duration = Duration::from_secs(15);

/// One call on the store.
#[derive(Clone, Debug)]
enum Call {
    Count,
    CreateTable,
    DropTable,
    Create(NewPlayer),
    CreateMany(Vec<NewPlayer>),
    Find(Id),
    FindByName(String),
    List { after: Option<Id>, limit: u32 },
    Update(Id, NewPlayer),
    UpdateToTheSame(Id),
    Delete(Id),
    Trade { buyer: Id, seller: Id, goods: i32, price: i32 },
}

/// An id in a call: ids themselves differ from store to store.
#[derive(Clone, Debug)]
enum Id {
    /// That of the last player who had this name, whether or not it is still there.
    Of(String),
    /// One that is never given.
    Absent(i64),
}

/// Few names, so that calls meet each other.
fn usual_name() -> impl Strategy<Value = String, Tree: Send> + Send + Sync {
    select(&["a", "b", "c"][..]).prop_map(str::to_owned)
}

fn name() -> impl Strategy<Value = String, Tree: Send> + Send + Sync {
    let unusual = ["A", "á", "a\u{301}", " a", "a\u{a0}", "a\t", "a\0", "O'Brien", "100%_\\"];
    let refused = ["a ".into(), "b ".into(), "c ".into(), String::new(), " ".into(), "x".repeat(33)];
    prop_oneof![
        18 => usual_name(),
        3 => select(unusual.to_vec()).prop_map(str::to_owned),
        1 => vec(any::<char>(), 1..=33).prop_map(String::from_iter),
        2 => select(refused.to_vec()),
    ]
}

/// Coins or goods.
fn amount() -> impl Strategy<Value = i32, Tree: Send> + Send + Sync {
    prop_oneof![
        6 => 0..=3,
        4 => select(&[i32::MAX, i32::MAX - 1, -1, i32::MIN][..]),
        1 => any::<i32>(),
    ]
}

fn new_player() -> impl Strategy<Value = NewPlayer, Tree: Send> + Send + Sync {
    (name(), amount(), amount()).prop_map(|(name, coins, goods)| NewPlayer { name, coins, goods })
}

fn id() -> impl Strategy<Value = Id, Tree: Send> + Send + Sync {
    let absent = select(&[i64::MAX, 0, -1, i64::MIN][..]);
    prop_oneof![16 => name().prop_map(Id::Of), 1 => absent.prop_map(Id::Absent)]
}

/// Mostly one that is possible, or would be with a little more coins or goods.
fn trade() -> impl Strategy<Value = Call, Tree: Send> + Send + Sync {
    let side = || prop_oneof![6 => usual_name().prop_map(Id::Of), 1 => id()];
    let traded = || prop_oneof![6 => 1..=2, 1 => amount()];
    let parts = (side(), side(), traded(), traded());
    parts.prop_map(|(buyer, seller, goods, price)| Call::Trade { buyer, seller, goods, price })
}

fn list() -> impl Strategy<Value = Call, Tree: Send> + Send + Sync {
    let after = prop_oneof![Just(None), id().prop_map(Some)];
    (after, prop_oneof![Just(u32::MAX), 0..=3u32]).prop_map(|(after, limit)| Call::List { after, limit })
}

fn call() -> impl Strategy<Value = Call, Tree: Send> + Send + Sync {
    let plain = [Call::Count, Call::CreateTable, Call::CreateTable, Call::DropTable];
    prop_oneof![
        4 => select(plain.to_vec()),
        8 => new_player().prop_map(Call::Create),
        3 => vec(new_player(), 0..=4).prop_map(Call::CreateMany),
        2 => id().prop_map(Call::Find),
        4 => name().prop_map(Call::FindByName),
        4 => list(),
        5 => (id(), new_player()).prop_map(|(id, new)| Call::Update(id, new)),
        2 => id().prop_map(Call::UpdateToTheSame),
        4 => id().prop_map(Call::Delete),
        12 => trade(),
    ]
}

/// The sequence that `seed` stands for, ready to be made smaller.
fn sequence(seed: u64, config: &Config) -> Result<impl ValueTree<Value = Vec<Call>> + Send, Failure> {
    let config = Config { rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..config.clone() };
    let tree = vec(call(), 1..=60).new_tree(&mut TestRunner::new(config));
    tree.map_err(|reason| Failure::new(format!("the kit makes no sequence of calls: {reason}")))
}

/// Whatever is asked in whatever order, the store answers and holds what [`MemoryStore`] does; only ids may differ.
///
/// The calls are random, new ones with every run. A sequence that fails is shrunk before it is shown, with its seed.
pub async fn agrees_with_the_model_whatever_is_asked(store: &Store) -> Result<(), Failure> {
    let config = Config::default();
    let time = if env::var_os("PROPTEST_CASES").is_some() { LONGEST_TIME } else { TIME };
    let first = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => TestRunner::new(config.clone()).rng().next_u64(),
    };
    let start = Instant::now();
    for case in 0..config.cases {
        // A seed for each sequence, so that the one shown begins with the one that failed.
        let seed = first.wrapping_add(case.into());
        let mut tree = sequence(seed, &config)?;
        if let Err(difference) = compare(store, &tree.current()).await {
            let (calls, Difference { calls: made, failure }) = shrink(store, &mut tree, difference).await;
            let calls: String = calls.iter().take(made).map(|call| format!("\n  {call:?}")).collect();
            return Err(Failure::new(format!(
                "the store is not as the model after these calls on a new table, the last of which shows it:{calls}\n\
                 {failure}\nPROPTEST_RNG_SEED={seed} makes the same run again"
            )));
        }
        if start.elapsed() >= time {
            break;
        }
    }
    Ok(())
}

/// Makes the sequence smaller for as long as it shows a difference, and time is left.
async fn shrink(
    store: &Store,
    tree: &mut impl ValueTree<Value = Vec<Call>>,
    difference: Difference,
) -> (Vec<Call>, Difference) {
    let mut smallest = (tree.current(), difference);
    let start = Instant::now();
    let mut smaller = tree.simplify();
    while smaller && start.elapsed() < TIME_TO_SHRINK {
        let calls = tree.current();
        smaller = match compare(store, &calls).await {
            Ok(()) => tree.complicate(),
            Err(difference) => {
                smallest = (calls, difference);
                tree.simplify()
            }
        };
    }
    // proptest leaves calls out only before it makes them simpler, which can make more of them superfluous.
    smallest.0.truncate(smallest.1.calls);
    for call in (0..smallest.0.len()).rev() {
        let mut calls = smallest.0.clone();
        calls.remove(call);
        if start.elapsed() >= TIME_TO_SHRINK {
            break;
        }
        if let Err(difference) = compare(store, &calls).await {
            smallest = (calls, difference);
        }
    }
    smallest
}

/// Where the store differs from the model.
struct Difference {
    /// How many calls it takes.
    calls: usize,
    failure: Failure,
}

/// Makes the calls on a new table of the store and of the model, up to the first difference.
async fn compare(store: &Store, calls: &[Call]) -> Result<(), Difference> {
    let mut pair = Pair { store, model: MemoryStore::new(), ids: HashMap::new(), holders: HashMap::new() };
    for made in 0..=calls.len() {
        let next = async {
            match made.checked_sub(1).map(|last| &calls[last]) {
                None => pair.begin().await,
                Some(call) => pair.make(call).await,
            }
        };
        let ended = AssertUnwindSafe(next).catch_unwind().await;
        let result = ended.unwrap_or_else(|panic| Err(Failure::new(format!("the store panics: {}", text(&*panic)))));
        result.map_err(|failure| Difference { calls: made, failure })?;
    }
    Ok(())
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

/// The store beside the model.
struct Pair<'a> {
    store: &'a Store,
    model: MemoryStore,
    /// The store's id for each of the model's, deleted players included.
    ids: HashMap<PlayerId, PlayerId>,
    /// The model's id of the last player with each name.
    holders: HashMap<String, PlayerId>,
}

impl Pair<'_> {
    async fn begin(&mut self) -> Result<(), Failure> {
        match self.store.drop_table().await {
            Err(error) if error.kind() != ErrorKind::TableMissing => return Err(error.into()),
            _ => {}
        }
        self.store.create_table().await?;
        self.model.create_table().await?;
        self.players().await
    }

    async fn make(&mut self, call: &Call) -> Result<(), Failure> {
        let Self { store, model, .. } = &*self;
        match call {
            Call::Count => return same("the count", store.count().await, model.count().await),
            Call::Find(id) => {
                let (of_store, of_model) = self.id(id);
                let expected = model.find(of_model).await.map(|found| found.map(|player| self.in_store(player)));
                return same("the player found", store.find(of_store).await, expected);
            }
            Call::FindByName(name) => {
                let expected = model.find_by_name(name).await.map(|found| found.map(|player| self.in_store(player)));
                return same("the player found by name", store.find_by_name(name).await, expected);
            }
            Call::List { after, limit } => {
                let after = after.as_ref().map(|id| self.id(id).0);
                let expected = self.expected().await.map(|mut players| {
                    players.retain(|player| after.is_none_or(|after| player.id > after));
                    players.truncate(*limit as usize);
                    players
                });
                return same("the list", store.list(after, *limit).await, expected);
            }
            Call::CreateTable => same("the result", store.create_table().await, model.create_table().await)?,
            Call::DropTable => {
                same("the result", store.drop_table().await, model.drop_table().await)?;
                self.ids.clear();
                self.holders.clear();
            }
            Call::Create(new) => {
                let (created, expected) = (store.create(new).await, model.create(new).await);
                if let (Ok(created), Ok(expected)) = (&created, &expected) {
                    self.learn(expected.id, created.id)?;
                }
                same("the player created", created, expected.map(|player| self.in_store(player)))?;
            }
            Call::CreateMany(new) => {
                same("how many were created", store.create_many(new).await, model.create_many(new).await)?;
            }
            Call::Update(id, new) => self.update(id, new).await?,
            Call::UpdateToTheSame(id) => {
                let held = model.find(self.id(id).1).await.ok().flatten();
                let held = held.map(|Player { name, coins, goods, .. }| NewPlayer { name, coins, goods });
                self.update(id, &held.unwrap_or_else(|| NewPlayer::new("a", 0, 0))).await?;
            }
            Call::Delete(id) => {
                let (of_store, of_model) = self.id(id);
                same("the result", store.delete(of_store).await, model.delete(of_model).await)?;
            }
            Call::Trade { buyer, seller, goods, price } => {
                let ((buyer, of_buyer), (seller, of_seller)) = (self.id(buyer), self.id(seller));
                let trade = Trade { buyer, seller, goods: *goods, price: *price };
                let modelled = Trade { buyer: of_buyer, seller: of_seller, ..trade };
                same("the result", store.trade(&trade).await, model.trade(&modelled).await)?;
            }
        }
        self.players().await
    }

    async fn update(&self, id: &Id, new: &NewPlayer) -> Result<(), Failure> {
        let (of_store, of_model) = self.id(id);
        let result = self.store.update(&new.with_id(of_store)).await;
        same("the result", result, self.model.update(&new.with_id(of_model)).await)
    }

    /// Compares what is stored, and learns the ids of players whose ids were not returned.
    async fn players(&mut self) -> Result<(), Failure> {
        let stored = everyone(self.store).await;
        if let (Ok(stored), Ok(modelled)) = (&stored, self.model.list(None, u32::MAX).await) {
            for player in modelled {
                let found = stored.iter().find(|other| other.name == player.name);
                if let (Some(found), false) = (found, self.ids.contains_key(&player.id)) {
                    self.learn(player.id, found.id)?;
                }
                self.holders.insert(player.name, player.id);
            }
        }
        same("the players stored", stored, self.expected().await)
    }

    fn learn(&mut self, of_model: PlayerId, of_store: PlayerId) -> Result<(), Failure> {
        holds(&format!("the id {of_store} was given before"), self.ids.values().all(|given| *given != of_store))?;
        self.ids.insert(of_model, of_store);
        Ok(())
    }

    /// The store's id and the model's.
    fn id(&self, id: &Id) -> (PlayerId, PlayerId) {
        match id {
            Id::Of(name) => match self.holders.get(name) {
                Some(id) => (self.ids.get(id).copied().unwrap_or(ABSENT), *id),
                None => (ABSENT, ABSENT),
            },
            Id::Absent(id) => (PlayerId(*id), PlayerId(*id)),
        }
    }

    /// The model's player as the store must have it.
    fn in_store(&self, player: Player) -> Player {
        Player { id: self.ids.get(&player.id).copied().unwrap_or(ABSENT), ..player }
    }

    /// All that the store must have, in the order that it must list them.
    async fn expected(&self) -> StoreResult<Vec<Player>> {
        let players = self.model.list(None, u32::MAX).await?;
        let mut players: Vec<_> = players.into_iter().map(|player| self.in_store(player)).collect();
        players.sort_by_key(|player| player.id);
        Ok(players)
    }
}

/// Fails unless both are the same value, or errors that mean the same.
fn same<T: Debug + PartialEq>(what: &str, came: StoreResult<T>, expected: StoreResult<T>) -> Result<(), Failure> {
    let agree = match (&came, &expected) {
        (Ok(came), Ok(expected)) => came == expected,
        (Err(came), Err(expected)) => (came.kind(), came.outcome()) == (expected.kind(), expected.outcome()),
        _ => false,
    };
    let shown = |result: StoreResult<T>| match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("an error of kind {:?} ({:?}): {error}", error.kind(), error.outcome()),
    };
    if agree { Ok(()) } else { Err(Failure::new(contrast(what, &shown(expected), &shown(came)))) }
}
