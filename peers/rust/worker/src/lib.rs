//! What the Rust peers share: the runner's protocol, and the loops that it asks for.

use std::{
    env,
    error::Error as StdError,
    future::Future,
    io::{self, BufRead, Write},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::runtime::{Handle, Runtime};

/// Why something failed, for the runner to show.
pub type Error = Box<dyn StdError + Send + Sync>;
/// What a peer's calls return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reference run's table, for peers that write it as SQL.
pub const CREATE_TABLE: &str = "CREATE TABLE players (\
     id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     name VARCHAR(32) NOT NULL UNIQUE, \
     coins INT NOT NULL, \
     goods INT NOT NULL)";

/// Drops it again.
pub const DROP_TABLE: &str = "DROP TABLE players";

/// One row.
#[derive(Debug)]
pub struct Player {
    /// The id that the server gave.
    pub id: i64,
    /// Unique.
    pub name: String,
    /// Money.
    pub coins: i32,
    /// What is traded.
    pub goods: i32,
}

/// A row to be.
#[derive(Clone, Debug)]
pub struct NewPlayer {
    /// Unique.
    pub name: String,
    /// Money.
    pub coins: i32,
    /// What is traded.
    pub goods: i32,
}

/// Who sells what to whom.
#[derive(Clone, Copy, Debug)]
pub struct Trade {
    /// Pays.
    pub buyer: i64,
    /// Is paid.
    pub seller: i64,
    /// How many goods.
    pub goods: i32,
    /// How many coins for all of them.
    pub price: i32,
}

/// Where the server is, without TLS, and how many connections to it may be open at once.
#[derive(Clone, Debug)]
pub struct Server {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User name.
    pub user: String,
    /// May be empty.
    pub password: String,
    /// Where `players` is.
    pub database: String,
    /// The pool's maximum.
    pub pool: usize,
}

impl Server {
    fn from_env(pool: &str) -> Result<Self> {
        Ok(Self {
            host: env::var("TIDB_HOST")?,
            port: env::var("TIDB_PORT")?.parse()?,
            user: env::var("TIDB_USER")?,
            password: env::var("TIDB_PASSWORD")?,
            database: env::var("TIDB_DB_NAME")?,
            pool: pool.parse()?,
        })
    }
}

/// A program's way to the players, on a pool.
pub trait Peer: Clone + Send + Sync + 'static {
    /// Whether calls block: each task then gets a thread of its own, as the peer's users would do.
    const BLOCKING: bool = false;

    /// Makes the table.
    fn create_table(&self) -> impl Future<Output = Result<()>> + Send;
    /// Removes it.
    fn drop_table(&self) -> impl Future<Output = Result<()>> + Send;
    /// Stores a player and returns its id.
    fn create(&self, player: NewPlayer) -> impl Future<Output = Result<i64>> + Send;
    /// Stores players, all or none.
    fn create_many(&self, players: Vec<NewPlayer>) -> impl Future<Output = Result<()>> + Send;
    /// Stores `rows` players, `batch` at a time and so many of them at once, until `deadline`; returns how many.
    fn load(
        &self,
        rows: Box<dyn Iterator<Item = NewPlayer> + Send>,
        batch: usize,
        at_once: usize,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64>> + Send {
        let rows = Arc::new(Mutex::new(rows));
        let task = |_| load_what_is_left(self.clone(), Arc::clone(&rows), batch, deadline);
        let tasks = Vec::from_iter((0..at_once).map(task));
        async { Ok(at_once_by::<Self, _>(tasks).await?.into_iter().sum()) }
    }
    /// The player with this id.
    fn find(&self, id: i64) -> impl Future<Output = Result<Option<Player>>> + Send;
    /// The player with this name.
    fn find_by_name(&self, name: &str) -> impl Future<Output = Result<Option<Player>>> + Send;
    /// The first players by id.
    fn list(&self, limit: u32) -> impl Future<Output = Result<Vec<Player>>> + Send;
    /// How many players there are.
    fn count(&self) -> impl Future<Output = Result<u64>> + Send;
    /// Trades, or returns false where coins or goods do not suffice.
    fn trade(&self, trade: Trade) -> impl Future<Output = Result<bool>> + Send;
    /// Closes the pool.
    fn close(self) -> impl Future<Output = Result<()>> + Send;
}

/// What the runner asks for: a line of JSON on stdin.
#[derive(Clone, Debug, Deserialize)]
struct Request {
    r#do: Work,
    /// At once.
    tasks: usize,
    /// No operation begins later.
    seconds: f64,
    /// Ids from 1 to this are there.
    players: i64,
    /// How many to load.
    rows: usize,
    /// How many of them at a time.
    batch: usize,
    /// What new names begin with, so that they are new.
    prefix: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    Run,
    Read,
    Create,
    Trade,
    Load,
}

/// What the runner gets: a line of JSON on stdout.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Reply {
    Ready {
        ready: String,
    },
    Measured {
        /// Rows for a load.
        operations: u64,
        seconds: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        p50_us: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        p99_us: Option<u32>,
    },
    Failed {
        error: String,
    },
}

/// Serves the runner until it closes stdin. The program's last argument is the pool's size; `version` says what this is.
///
/// `connect` opens a pool, with at least one connection.
#[must_use = "return it from `main`"]
pub fn serve<P: Peer, F>(version: &str, connect: impl Fn(Server) -> F) -> ExitCode
where
    F: Future<Output = Result<P>>,
{
    let served = Runtime::new().map_err(Error::from).and_then(|runtime| runtime.block_on(answer(version, connect)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The runner may be gone, and then nobody is left to tell.
            let _ = say(&Reply::Failed { error: with_causes(&*error) });
            ExitCode::FAILURE
        }
    }
}

async fn answer<P: Peer, F>(version: &str, connect: impl Fn(Server) -> F) -> Result<()>
where
    F: Future<Output = Result<P>>,
{
    let server = Server::from_env(&env::args().next_back().unwrap_or_default())?;
    let peer = connect(server.clone()).await?;
    say(&Reply::Ready { ready: version.to_owned() })?;
    for line in io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let measured = match request.r#do {
            Work::Run => run(connect(Server { pool: 1, ..server.clone() })).await,
            Work::Load => load(&peer, &request).await,
            Work::Read | Work::Create | Work::Trade => repeat(&peer, request).await,
        };
        say(&measured.unwrap_or_else(|error| Reply::Failed { error: with_causes(&*error) }))?;
    }
    peer.close().await
}

fn say(reply: &Reply) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(reply)?)?;
    Ok(out.flush()?)
}

fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The reference run of TiDB's tutorials, from logging in to logging out.
async fn run<P: Peer>(connecting: impl Future<Output = Result<P>>) -> Result<Reply> {
    let start = Instant::now();
    let peer = connecting.await?;
    peer.create_table().await?;
    peer.create(player("test".into(), 1, 1)).await?;
    peer.find_by_name("test").await?.ok_or("test is gone")?;
    let rows = (0..200).map(|number| player(format!("player_{number}"), 10_000, 100));
    peer.load(Box::new(rows), 50, 1, start + Duration::from_secs(60)).await?;
    check(peer.count().await? == 201, "the count")?;
    check(peer.list(3).await?.len() == 3, "the list")?;
    let buyer = peer.create(player("buyer".into(), 100, 0)).await?;
    let seller = peer.create(player("seller".into(), 0, 100)).await?;
    check(!peer.trade(Trade { buyer, seller, goods: 10, price: 500 }).await?, "the refused trade")?;
    check(peer.trade(Trade { buyer, seller, goods: 10, price: 100 }).await?, "the trade")?;
    for (name, coins, goods) in [("buyer", 0, 10), ("seller", 100, 90)] {
        let player = peer.find_by_name(name).await?.ok_or("a trader is gone")?;
        check((player.coins, player.goods) == (coins, goods), name)?;
    }
    peer.drop_table().await?;
    peer.close().await?;
    Ok(Reply::Measured { operations: 1, seconds: start.elapsed().as_secs_f64(), p50_us: None, p99_us: None })
}

fn player(name: String, coins: i32, goods: i32) -> NewPlayer {
    NewPlayer { name, coins, goods }
}

fn check(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("{what}: not what the reference run expects").into()) }
}

async fn load<P: Peer>(peer: &P, request: &Request) -> Result<Reply> {
    let prefix = request.prefix.clone();
    let rows = (0..request.rows).map(move |row| player(format!("{prefix}-{row}"), 100, 100));
    let start = Instant::now();
    let deadline = start + Duration::from_secs_f64(request.seconds);
    let operations = peer.load(Box::new(rows), request.batch, request.tasks, deadline).await?;
    Ok(Reply::Measured { operations, seconds: start.elapsed().as_secs_f64(), p50_us: None, p99_us: None })
}

/// One of the tasks of a load.
async fn load_what_is_left<P: Peer>(
    peer: P,
    rows: Arc<Mutex<Box<dyn Iterator<Item = NewPlayer> + Send>>>,
    batch: usize,
    deadline: Instant,
) -> Result<u64> {
    let mut stored = 0;
    loop {
        let players = Vec::from_iter(rows.lock().unwrap_or_else(PoisonError::into_inner).by_ref().take(batch));
        if players.is_empty() || Instant::now() >= deadline {
            return Ok(stored);
        }
        stored += players.len() as u64;
        peer.create_many(players).await?;
    }
}

/// Each task makes one call after the other until the time is over.
async fn repeat<P: Peer>(peer: &P, request: Request) -> Result<Reply> {
    let (request, start) = (Arc::new(request), Instant::now());
    let task = |task| calls(peer.clone(), Arc::clone(&request), task, start);
    let mut latencies = at_once_by::<P, _>(Vec::from_iter((0..request.tasks).map(task))).await?.concat();
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let quantile = |q: f64| latencies.get((latencies.len() as f64 * q) as usize).copied();
    Ok(Reply::Measured { operations: latencies.len() as u64, seconds, p50_us: quantile(0.5), p99_us: quantile(0.99) })
}

/// Does all of `work` at once, as `P` does it.
async fn at_once_by<P: Peer, T: Send + 'static>(
    work: Vec<impl Future<Output = Result<T>> + Send + 'static>,
) -> Result<Vec<T>> {
    enum Task<T> {
        Thread(thread::JoinHandle<T>),
        Async(tokio::task::JoinHandle<T>),
    }

    let start = |work| {
        if P::BLOCKING {
            let runtime = Handle::current();
            Task::Thread(thread::spawn(move || runtime.block_on(work)))
        } else {
            Task::Async(tokio::spawn(work))
        }
    };
    let mut done = Vec::new();
    for task in Vec::from_iter(work.into_iter().map(start)) {
        done.push(match task {
            Task::Thread(thread) => thread.join().map_err(|_| "a thread panicked")??,
            Task::Async(task) => task.await??,
        });
    }
    Ok(done)
}

/// One task's calls, each with how long it took in microseconds. No two tasks trade with the same players.
async fn calls<P: Peer>(peer: P, request: Arc<Request>, task: usize, start: Instant) -> Result<Vec<u32>> {
    let (tasks, limit) = (request.tasks as i64, Duration::from_secs_f64(request.seconds));
    let own = request.players / tasks;
    let id = |nth: i64| 1 + task as i64 + nth * tasks;
    let mut latencies = Vec::new();
    while latencies.is_empty() || start.elapsed() < limit {
        let (first, second) = (fastrand::i64(0..own), fastrand::i64(1..own));
        let (buyer, seller) = (id(first), id((first + second) % own));
        let new = player(format!("{}-{task}-{}", request.prefix, latencies.len()), 100, 100);
        let begun = Instant::now();
        let done = match request.r#do {
            Work::Create => peer.create(new).await.map(|_| true)?,
            Work::Trade => peer.trade(Trade { buyer, seller, goods: 1, price: 1 }).await?,
            _ => peer.find(buyer).await?.is_some(),
        };
        latencies.push(begun.elapsed().as_micros() as u32);
        check(done, "the answer")?;
    }
    Ok(latencies)
}
