#![doc = include_str!("round_trips.md")]

use std::{future::Future, process::ExitCode, time::Duration};

use libtest_mimic::{Arguments, Trial};
use tidb_connect_core::{
    ConnectionConfig, ErrorKind, Result as StoreResult,
    players::{NewPlayer, Player, PlayerId, PlayerStore, Trade},
};
use tokio::{runtime, time::timeout};

use crate::{Failure, Server, Store, failure::equal, suite::Opener};

/// The documentation is what is checked.
const BUDGET: &str = include_str!("round_trips.md");

/// A check that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the checks for the store of `driver` as a test program; the server must be named by the environment.
#[must_use = "return it from `main`, or failures go unseen"]
pub fn run<S, Fut>(driver: &'static str, open: impl Fn(ConnectionConfig) -> Fut + Send + Sync + 'static) -> ExitCode
where
    S: PlayerStore,
    Fut: Future<Output = StoreResult<S>> + Send + 'static,
{
    let open = Opener::new(open);
    // Behind the head of the table and the line below it.
    let rows = BUDGET.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")).skip(1);
    let trials = rows.map(|row| {
        let (open, cells) = (open.clone(), row.split(" | ").collect::<Vec<_>>());
        let name: String = row.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '_')).collect();
        let name = name.split_whitespace().collect::<Vec<_>>().join("_");
        Trial::test(format!("{driver}::{name}"), move || {
            let &[call, warm, cold] = cells.as_slice() else { return Err("the row has not three cells".into()) };
            Ok(count(driver, &open, call, warm.parse()?, cold.parse()?)?)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// A store with one connection, through a proxy that counts, and some players.
struct Bench {
    store: Store,
    rich: PlayerId,
    poor: PlayerId,
    doomed: Vec<PlayerId>,
}

impl Bench {
    /// Makes the call that the table names so, for the n-th time.
    async fn call(&self, name: &str, n: usize) -> Result<(), Failure> {
        let Self { store, rich, poor, doomed } = self;
        match name {
            "`server_version`" => drop(store.server_version().await?),
            "`status`" => store.status().await.server?,
            "`create`" => drop(store.create(&NewPlayer::new(format!("new {n}"), 1, 1)).await?),
            "`create_many`, for each batch" => {
                let rows = Vec::from_iter((0..100).map(|row| NewPlayer::new(format!("row {n} {row}"), 1, 1)));
                equal("the rows", store.create_many(&rows).await?, 100)?;
            }
            "`find`" => drop(store.find(*rich).await?),
            "`find_by_name`" => drop(store.find_by_name("rich").await?),
            "`list`, for each page" => drop(store.list(None, 10).await?),
            "`count`" => equal("the count", store.count().await?, 5)?,
            "`update`" => {
                store.update(&Player { id: *rich, name: "rich".into(), coins: n as i32, goods: 1_000 }).await?;
            }
            "`delete`" => store.delete(doomed[n]).await?,
            "`trade`" => store.trade(&Trade { buyer: *rich, seller: *poor, goods: 1, price: 1 }).await?,
            "`trade` that is refused" => {
                let refused = store.trade(&Trade { buyer: *poor, seller: *rich, goods: 1, price: 1 }).await;
                equal("the refusal", refused.map_err(|error| error.kind()), Err(ErrorKind::InsufficientCoins))?;
            }
            _ => return Err(Failure::new("the table has a call that nothing here makes")),
        }
        Ok(())
    }
}

fn count(driver: &str, open: &Opener, call: &str, warm: u64, cold: u64) -> Result<(), Failure> {
    let server = Server::create(driver, open.clone())?;
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::caused("the kit cannot start a tokio runtime:", &error))?;
    let counted = runtime.block_on(async {
        let counting = make(&server, call, [("cold", cold), ("warm", warm), ("warm again", warm)]);
        timeout(LIMIT, counting).await.unwrap_or_else(|_| Err(Failure::new(format!("no end after {LIMIT:?}"))))
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    counted.and(server.remove())
}

async fn make(server: &Server, call: &str, calls: [(&str, u64); 3]) -> Result<(), Failure> {
    let setup = server.open(server.config().clone()).await?;
    setup.create_table().await?;
    let player = |name: &str| NewPlayer::new(name, 1_000, 1_000);
    setup.create_many(&["rich", "doomed 0", "doomed 1", "doomed 2"].map(player)).await?;
    setup.create(&NewPlayer::new("poor", 0, 1_000)).await?;
    let id = async |name: &str| match setup.find_by_name(name).await? {
        Some(player) => Ok(player.id),
        None => Err(Failure::new(format!("the player {name} is gone"))),
    };
    let (rich, poor) = (id("rich").await?, id("poor").await?);
    let doomed = vec![id("doomed 0").await?, id("doomed 1").await?, id("doomed 2").await?];
    setup.close().await?;

    let (proxy, config) = (server.proxy()?, server.config());
    let through = config.clone().with_host("127.0.0.1").with_port(proxy.addr().port());
    // One connection, which is not probed however slow the machine is.
    let pool = config.pool().clone().with_max_connections(1).with_probe_after(LIMIT);
    let store = server.open(through.with_pool(pool)).await?;
    let bench = Bench { store, rich, poor, doomed };
    for (n, (temperature, expected)) in calls.into_iter().enumerate() {
        let before = proxy.report().round_trips();
        bench.call(call, n).await?;
        equal(&format!("round trips, {temperature}"), proxy.report().round_trips() - before, expected)?;
    }
    equal("the connections made", proxy.report().connections.len(), 1)?;
    Ok(bench.store.close().await?)
}
