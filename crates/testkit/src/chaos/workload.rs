//! What the store under test is used for, and what it said.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tidb_connect_core::{
    Outcome, Result as StoreResult,
    players::{NewPlayer, Player, PlayerId, Trade, sql},
};
use tokio::{
    runtime::Runtime,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{Failure, Server, Store};

/// Workers that trade, that insert, and that read: more than the pool has connections.
const TRADERS: usize = 3;
const INSERTERS: usize = 2;
const READERS: usize = 2;

/// All trade with the same sellers, so that they meet each other's locks.
pub(super) const SELLERS: usize = 2;

/// The buyers of one trader. It goes on to the next after an unknown outcome: each then tells of its own.
const BUYERS: usize = 16;

/// The rows of the bank, which are the table's first.
pub(super) const BANK: usize = SELLERS + TRADERS * BUYERS;

/// More than any run trades, in coins and in goods.
pub(super) const PLENTY: i32 = 2_000_000_000;

/// For one of the goods. Not 1, or coins and goods could be mistaken for each other.
const PRICE: i32 = 3;

/// Rows of every second insert, which are one statement.
const ROWS: usize = 3;

/// After an answer: a run is not to measure how much the machine can do.
const BETWEEN_CALLS: Duration = Duration::from_millis(5);

/// After an error, so that a server that is gone is not asked without end.
const AFTER_AN_ERROR: Duration = Duration::from_millis(20);

/// For the calls that are under way when the run ends. Conflicts alone are tried again for 10 s.
const LAST_CALLS: Duration = Duration::from_secs(30);

/// What a call said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Acknowledged,
    Retryable,
    Final,
    Unknown,
}

impl From<Outcome> for Fate {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Retryable => Self::Retryable,
            Outcome::Final => Self::Final,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

/// What all workers were told.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// How often a call had this fate, for this kind of error.
    pub(super) calls: BTreeMap<(&'static str, Fate, String), u64>,
    pub(super) buyers: BTreeMap<PlayerId, Trades>,
    pub(super) inserts: Vec<Insert>,
    /// Reads of the bank with other sums, by what they said.
    pub(super) wrong_reads: Vec<String>,
    /// Reads of the bank in which players are missing.
    pub(super) short_reads: u64,
    /// The call that took longest.
    pub(super) slowest: Duration,
    /// When each worker made the last call that was acknowledged.
    served: Vec<Option<Instant>>,
}

/// The trades of one buyer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trades {
    pub(super) acknowledged: u64,
    pub(super) unknown: u64,
}

/// The names of one insert.
#[derive(Debug)]
pub(super) struct Insert {
    pub(super) names: Vec<String>,
    pub(super) fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Work,
    Rest,
    Stop,
}

/// The workers.
pub(super) struct Workload {
    store: Store,
    ledger: Arc<Mutex<Ledger>>,
    order: watch::Sender<Order>,
    workers: Vec<JoinHandle<()>>,
}

impl Workload {
    /// Fills the bank and sets the workers to work.
    pub(super) fn start(runtime: &Runtime, store: Store, server: &Server, seed: u64) -> Result<Self, Failure> {
        // Without UNIQUE, or the server would keep a write that is made twice from being seen.
        server.sql(&sql::CREATE_TABLE.replace(" UNIQUE", ""))?;
        let sellers = vec![format!("('seller', 0, {PLENTY})"); SELLERS];
        let buyers = vec![format!("('buyer', {PLENTY}, 0)"); TRADERS * BUYERS];
        let rows = [sellers, buyers].concat().join(", ");
        server.sql(&format!("INSERT INTO players (name, coins, goods) VALUES {rows}"))?;
        let ids: Vec<PlayerId> = rows_of(server)?.iter().map(|row| row.id).collect();
        let (sellers, buyers) = ids.split_at(SELLERS);
        let last = *ids.last().ok_or_else(|| Failure::new("the bank is empty"))?;

        let count = TRADERS + INSERTERS + READERS;
        let mut ledger = Ledger { served: vec![None; count], ..Ledger::default() };
        ledger.buyers.extend(buyers.iter().map(|&buyer| (buyer, Trades::default())));
        let ledger = Arc::new(Mutex::new(ledger));
        let order = watch::Sender::new(Order::Work);
        let workers = (0..count).map(|number| {
            let worker = Worker {
                number,
                store: Arc::clone(&store),
                ledger: Arc::clone(&ledger),
                order: order.subscribe(),
                random: fastrand::Rng::with_seed(seed.wrapping_add(number as u64)),
            };
            match buyers.chunks(BUYERS).nth(number) {
                Some(buyers) => runtime.spawn(worker.trade(buyers.to_vec(), sellers.to_vec())),
                None if number < TRADERS + INSERTERS => runtime.spawn(worker.insert()),
                None => runtime.spawn(worker.read(last)),
            }
        });
        let workers = workers.collect();
        Ok(Self { store, ledger, order, workers })
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Whether every worker has been acknowledged a call that it made after `since`.
    pub(super) fn is_served(&self, since: Instant) -> bool {
        self.ledger().served.iter().all(|served| served.is_some_and(|call| call >= since))
    }

    /// Lets every worker end its call and make no other, until they are to [work](Self::work).
    pub(super) fn rest(&self) {
        self.order.send_replace(Order::Rest);
    }

    pub(super) fn work(&self) {
        self.order.send_replace(Order::Work);
    }

    /// Ends the workers and closes the store. What a worker says that does not end stays as it is: unknown.
    pub(super) fn stop(&mut self, runtime: &Runtime) -> Result<(), Failure> {
        self.order.send_replace(Order::Stop);
        let ended = runtime.block_on(async { timeout(LAST_CALLS, join_all(&mut self.workers)).await });
        let ended = ended.map_err(|_| Failure::new(format!("a call does not end within {LAST_CALLS:?}")))?;
        for worker in ended {
            worker.map_err(|panic| Failure::caused("a call panics:", &panic))?;
        }
        runtime.block_on(self.store.close()).map_err(Failure::from)
    }
}

/// All rows of the table in the order of their ids, past the store.
pub(super) fn rows_of(server: &Server) -> Result<Vec<Player>, Failure> {
    let lines = server.sql("SELECT CONCAT_WS(' ', id, coins, goods, name) FROM players ORDER BY id")?;
    let row = |line: &String| {
        let mut columns = line.splitn(4, ' ');
        let mut number = || columns.next()?.parse::<i64>().ok();
        let (id, coins, goods) = (number()?, number()?, number()?);
        let (coins, goods) = (coins.try_into().ok()?, goods.try_into().ok()?);
        Some(Player { id: PlayerId(id), coins, goods, name: columns.next()?.to_owned() })
    };
    lines.iter().map(|line| row(line).ok_or_else(|| Failure::new(format!("no row of the table: {line}")))).collect()
}

/// What is wrong with the bank's players.
pub(super) fn wrong_bank<'a>(bank: impl Iterator<Item = &'a Player>) -> Option<String> {
    let expected = (BANK, PLENTY as i64 * (TRADERS * BUYERS) as i64, PLENTY as i64 * SELLERS as i64);
    let sum = |(players, coins, goods), player: &Player| {
        (players + 1, coins + i64::from(player.coins), goods + i64::from(player.goods))
    };
    let came = bank.fold((0, 0, 0), sum);
    (came != expected).then(|| format!("(players, coins, goods) are {came:?}, not {expected:?}"))
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker {
    number: usize,
    store: Store,
    ledger: Arc<Mutex<Ledger>>,
    order: watch::Receiver<Order>,
    random: fastrand::Rng,
}

impl Worker {
    /// Whether there is to be another call, after a rest if one is ordered.
    async fn goes_on(&mut self) -> bool {
        // An error means that the workload is gone.
        self.order.wait_for(|order| *order != Order::Rest).await.is_ok_and(|order| *order == Order::Work)
    }

    /// Makes a call, writes down what came of it, and pauses.
    async fn call<T>(
        &mut self,
        operation: &'static str,
        call: impl Future<Output = StoreResult<T>>,
        note: impl FnOnce(&mut Ledger, Fate, Option<T>),
    ) -> Fate {
        let made = Instant::now();
        let result = call.await;
        let (fate, error, value) = match result {
            Ok(value) => (Fate::Acknowledged, String::new(), Some(value)),
            Err(error) => (error.outcome().into(), format!("{:?}", error.kind()), None),
        };
        {
            let mut ledger = lock(&self.ledger);
            *ledger.calls.entry((operation, fate, error)).or_default() += 1;
            ledger.slowest = ledger.slowest.max(made.elapsed());
            if fate == Fate::Acknowledged {
                ledger.served[self.number] = Some(made);
            }
            note(&mut ledger, fate, value);
        }
        let pause = if fate == Fate::Acknowledged { BETWEEN_CALLS } else { AFTER_AN_ERROR };
        sleep(pause.mul_f64(self.random.f64() + 0.5)).await;
        fate
    }

    async fn trade(mut self, buyers: Vec<PlayerId>, sellers: Vec<PlayerId>) {
        let store = Arc::clone(&self.store);
        let mut current = 0;
        while self.goes_on().await {
            let (buyer, seller) = (buyers[current], sellers[self.random.usize(..sellers.len())]);
            // Unknown until it is answered, if ever.
            count(&mut lock(&self.ledger), buyer, |trades| trades.unknown += 1);
            let trade = Trade { buyer, seller, goods: 1, price: PRICE };
            let note = |ledger: &mut Ledger, fate, _| {
                count(ledger, buyer, |trades| {
                    trades.unknown -= u64::from(fate != Fate::Unknown);
                    trades.acknowledged += u64::from(fate == Fate::Acknowledged);
                });
            };
            if self.call("trade", store.trade(&trade), note).await == Fate::Unknown {
                current = (current + 1) % buyers.len();
            }
        }
    }

    async fn insert(mut self) {
        let store = Arc::clone(&self.store);
        for round in 0_u64.. {
            if !self.goes_on().await {
                return;
            }
            let rows = if round % 2 == 0 { 1 } else { ROWS };
            let names = (0..rows).map(|row| format!("{}-{round}-{row}", self.number));
            let players: Vec<NewPlayer> = names.map(|name| NewPlayer::new(name, 0, 0)).collect();
            let names = players.iter().map(|player| player.name.clone()).collect();
            let place = {
                let mut ledger = lock(&self.ledger);
                ledger.inserts.push(Insert { names, fate: Fate::Unknown });
                ledger.inserts.len() - 1
            };
            let insert = async {
                match &players[..] {
                    [player] => store.create(player).await.map(drop),
                    players => store.create_many(players).await.map(drop),
                }
            };
            let operation = if rows == 1 { "create" } else { "create_many" };
            self.call(operation, insert, |ledger, fate, _| ledger.inserts[place].fate = fate).await;
        }
    }

    async fn read(mut self, last: PlayerId) {
        let store = Arc::clone(&self.store);
        while self.goes_on().await {
            self.call("list", store.list(None, BANK as u32), |ledger, _, players| {
                let Some(players) = players else { return };
                // Where one is missing, a row from behind the bank may have come in its place.
                let short = players.iter().filter(|player| player.id <= last).count() < BANK;
                ledger.short_reads += u64::from(short);
                ledger.wrong_reads.extend(if short { None } else { wrong_bank(players.iter()) });
            })
            .await;
        }
    }
}

fn count(ledger: &mut Ledger, buyer: PlayerId, change: impl FnOnce(&mut Trades)) {
    change(ledger.buyers.entry(buyer).or_default());
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Acknowledged => "acknowledged",
            Self::Retryable => "retryable",
            Self::Final => "final",
            Self::Unknown => "unknown",
        })
    }
}
