//! What operations are made of.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fastrand::Rng;
use tidb_connect_core::players::{NewPlayer, PlayerId, Trade};

use crate::{Point, Workload};

/// Enough for every trade of a run, and far from the end of the column.
const FORTUNE: i32 = 1_000_000;

/// What a task asks of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To find the player with this id, who is there.
    Find(PlayerId),
    /// To find the player with this name, who is there.
    FindByName(String),
    /// To read all players, this many at a time.
    Scan(u32),
    /// To make a trade, which is possible.
    Trade(Trade),
    /// To create a player whose name is free.
    Create(NewPlayer),
    /// To create players whose names are free, with one statement.
    CreateMany(Vec<NewPlayer>),
    /// To create players whose names are free, a batch a statement.
    Load(Load),
}

/// Players to be created in batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    numbers: Range<u64>,
    /// How many a statement.
    pub batch: usize,
    /// How many statements may be under way at once.
    pub in_flight: usize,
}

impl Load {
    /// The players, made when they are asked for.
    pub fn players(&self) -> impl Iterator<Item = NewPlayer> + Send + 'static {
        self.numbers.clone().map(new_player)
    }

    /// The same, a statement at a time.
    pub fn batches(&self) -> impl Iterator<Item = Vec<NewPlayer>> + Send + 'static {
        let (mut players, batch) = (self.players(), self.batch);
        std::iter::from_fn(move || Some(players.by_ref().take(batch).collect()))
            .take_while(|of: &Vec<_>| !of.is_empty())
    }
}

/// The players of a run. Those that are created during one count on, so that no name comes twice.
#[derive(Debug)]
pub(crate) struct Data {
    ids: Vec<PlayerId>,
    created: AtomicU64,
}

impl Data {
    pub(crate) fn new(ids: Vec<PlayerId>) -> Self {
        Self { ids, created: AtomicU64::new(0) }
    }

    /// The players that are there before anything is measured.
    pub(crate) fn initial(rows: u64) -> impl Iterator<Item = NewPlayer> + Send {
        (0..rows).map(|number| player(initial_name(number)))
    }

    fn next(&self) -> NewPlayer {
        new_player(self.next_numbers(1).start)
    }

    fn next_numbers(&self, count: usize) -> Range<u64> {
        let first = self.created.fetch_add(count as u64, Ordering::Relaxed);
        first..first + count as u64
    }
}

fn new_player(number: u64) -> NewPlayer {
    player(format!("new_{number}"))
}

fn initial_name(number: u64) -> String {
    format!("player_{number}")
}

fn player(name: String) -> NewPlayer {
    NewPlayer::new(name, FORTUNE, FORTUNE)
}

/// The operations of one task: the same for each subject in the same round, but for the names of new players.
#[derive(Clone, Debug)]
pub(crate) struct Operations {
    data: Arc<Data>,
    workload: Workload,
    batch: usize,
    in_flight: usize,
    random: Rng,
}

impl Operations {
    pub(crate) fn new(data: &Arc<Data>, point: &Point, round: usize, task: usize) -> Self {
        let seed = ((round as u64) << 32) | task as u64;
        Self {
            data: Arc::clone(data),
            workload: point.workload,
            batch: point.batch.unwrap_or(1),
            in_flight: point.in_flight.unwrap_or(1),
            random: Rng::with_seed(seed),
        }
    }

    pub(crate) fn next(&mut self) -> Operation {
        let players = self.data.ids.len();
        match self.workload {
            Workload::PointRead => self.find(),
            Workload::ByName => self.find_by_name(),
            Workload::Scan => Operation::Scan(Workload::PAGE),
            Workload::TradeCold => self.trade(players),
            Workload::TradeHot => self.trade(Workload::HOT),
            Workload::Mixed => match self.random.u8(..20) {
                0..14 => self.find(),
                14..16 => self.find_by_name(),
                16..18 => Operation::Create(self.data.next()),
                _ => self.trade(players),
            },
            Workload::Create => Operation::Create(self.data.next()),
            Workload::BulkLoad => Operation::CreateMany((0..self.batch).map(|_| self.data.next()).collect()),
            Workload::Load => {
                let numbers = self.data.next_numbers(players);
                Operation::Load(Load { numbers, batch: self.batch, in_flight: self.in_flight })
            }
        }
    }

    fn find(&mut self) -> Operation {
        Operation::Find(self.data.ids[self.random.usize(..self.data.ids.len())])
    }

    fn find_by_name(&mut self) -> Operation {
        Operation::FindByName(initial_name(self.random.u64(..self.data.ids.len() as u64)))
    }

    /// Between two of the first `among` players.
    fn trade(&mut self, among: usize) -> Operation {
        let buyer = self.random.usize(..among);
        let seller = (buyer + self.random.usize(1..among)) % among;
        Operation::Trade(Trade { buyer: self.data.ids[buyer], seller: self.data.ids[seller], goods: 1, price: 1 })
    }
}
