//! The reference run of TiDB's tutorials: create, load, list, trade, and leave nothing behind.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::ProgressBar;
use tidb_connect_core::{
    ConnectionConfig, Error, ErrorKind, Outcome, Result, Settings,
    players::{LoadError, NewPlayer, Player, PlayerStore, PlayerStoreExt, Trade},
};
use tokio::time::timeout;

use crate::{
    args::RunArgs,
    driver::Driver,
    failure::{Failure, unwritable},
    say,
    server::{Target, connected},
    signal::Interruption,
};

/// How long removing the table may take once the run has ended.
const CLEAN_UP: Duration = Duration::from_secs(30);

pub(crate) async fn execute(args: RunArgs) -> Result<ExitCode, Failure> {
    let mut interruption = Interruption::listen().map_err(Failure::failed)?;
    let settings = args.server.settings()?;
    let mut target = None;
    let store = tokio::select! {
        store = open(args.driver, settings, &mut target) => store?,
        () = interruption.wait() => return Err(Failure::interrupted()),
    };
    // Not interrupted, so that it stays known whether the table is ours.
    create_table(&*store).await?;
    let (mut out, mut interrupted) = (io::stdout(), false);
    let ran = tokio::select! {
        ran = steps(&*store, &mut out) => ran.map_err(Failure::from),
        () = interruption.wait() => {
            interrupted = true;
            say("interrupted: removing the table players; Ctrl-C once more leaves it");
            Err(Failure::interrupted())
        }
    };
    let removed = tokio::select! {
        removed = timeout(CLEAN_UP, store.drop_table()) => {
            removed.unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "the server does not answer")))
        }
        () = interruption.wait(), if interrupted => Err(Error::new(ErrorKind::TimedOut, "interrupted once more")),
    };
    let closed = store.close().await;
    match (ran, removed) {
        (Ok(()), Ok(())) => closed.map(|()| ExitCode::SUCCESS).map_err(Failure::from),
        (Ok(()), Err(error)) => Err(Failure::from(error).with_note(LEFT_BEHIND)),
        (Err(failure), Ok(())) => Err(failure.with_note("the table players that this run made has been removed")),
        (Err(failure), Err(error)) => Err(failure.with_note(format!("{LEFT_BEHIND}: {error}"))),
    }
}

const LEFT_BEHIND: &str = "the table players that this run made could not be removed; DROP TABLE players removes it";

async fn open(
    driver: Driver,
    settings: Settings,
    target: &mut Option<Target>,
) -> Result<Box<dyn PlayerStore>, Failure> {
    let config = if driver == Driver::Memory {
        // No server is asked, so none is chosen.
        ConnectionConfig::new()
    } else {
        let chosen = Target::choose(settings).await?;
        target.insert(chosen).config.clone()
    };
    // One connection, so that the run's round trips are those of the statements.
    let pool = config.pool().clone().with_max_connections(1);
    let config = config.with_pool(pool);
    let store = connected(&config, driver.connect(&config)).await?;
    let version = store.server_version().await?;
    say(format_args!("driver {}, server {version}, {config}", store.driver()));
    Ok(store)
}

async fn create_table(store: &dyn PlayerStore) -> Result<(), Failure> {
    store.create_table().await.map_err(|error| {
        let (kind, outcome) = (error.kind(), error.outcome());
        let failure = Failure::from(error);
        match (kind, outcome) {
            (ErrorKind::TableExists, _) => failure.with_note(
                "it was there before this run, so it is left alone: set TIDB_DB_NAME to another database, \
                 or drop it yourself with DROP TABLE players",
            ),
            (_, Outcome::Unknown) => failure.with_note("look whether there is a table players now; it was not touched"),
            _ => failure,
        }
    })
}

/// Steps 2 to 6 of the reference run; every line is computed from what the store returned.
async fn steps(store: &dyn PlayerStore, out: &mut (dyn Write + Send)) -> Result<()> {
    store.create(&NewPlayer::new("test", 1, 1)).await?;
    let test = store.find_by_name("test").await?;
    print(out, &required(test)?)?;

    let players = (0..200).map(|number| NewPlayer::new(format!("player_{number}"), 10_000, 100));
    // On stderr, and only where that is a terminal.
    let bar = ProgressBar::new(200);
    let loaded = store.load(players, 50, |stored| bar.set_position(stored)).await;
    bar.finish_and_clear();
    loaded.map_err(LoadError::into_cause)?;
    print(out, &format!("number of players: {}", store.count().await?))?;
    for player in store.list(None, 3).await? {
        print(out, &player)?;
    }

    let buyer = store.create(&NewPlayer::new("buyer", 100, 0)).await?.id;
    let seller = store.create(&NewPlayer::new("seller", 0, 100)).await?.id;
    print(out, &"============== trade 1 start =================")?;
    print(out, &trade(store, Trade { buyer, seller, goods: 10, price: 500 }).await?)?;
    print(out, &"============== trade 1 end ===================")?;
    print(out, &"============== trade 2 start =================")?;
    print(out, &trade(store, Trade { buyer, seller, goods: 10, price: 100 }).await?)?;
    print(out, &"============== trade 2 end ===================")?;
    for name in ["buyer", "seller"] {
        print(out, &required(store.find_by_name(name).await?)?)?;
    }
    Ok(())
}

/// Trades, and says how it went; a refusal for want of coins or goods is part of the run.
async fn trade(store: &dyn PlayerStore, trade: Trade) -> Result<&'static str> {
    match store.trade(&trade).await {
        Ok(()) => Ok("trade success"),
        Err(error) if error.kind() == ErrorKind::InsufficientCoins => Ok("buyer coins not enough"),
        Err(error) if error.kind() == ErrorKind::InsufficientGoods => Ok("seller goods not enough"),
        Err(error) => Err(error),
    }
}

fn required(player: Option<Player>) -> Result<Player> {
    player.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "a player that was just created is gone: does another run use this database?")
    })
}

fn print(out: &mut (dyn Write + Send), line: &(dyn std::fmt::Display + Sync)) -> Result<()> {
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(unwritable)
}
