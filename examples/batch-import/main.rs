//! A batch import through mysql_async: the rows of a CSV file, several statements under way at once, with a progress bar.
//! Where it fails, it says which rows are stored, which are not, and what to do about those that may be.
//!
//! Run it with `just playground -- cargo run -p example-batch-import`, or with TIDB_HOST and the others set; the path of a
//! file of your own, with the columns name, coins and goods, may follow after `--`.

use std::{env, fs::File, path::PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use tidb_connect_mysql_async::{
    ConnectionConfig, MysqlAsyncStore, Outcome,
    tidb_connect_core::players::{Batches, FailedBatch, LoadError, NewPlayer, PlayerStore, PlayerStoreExt},
};

/// Rows a statement, which is a round trip: few here, so that a short file makes several.
const ROWS: usize = 50;

/// Statements at once, each on a connection of its own.
const IN_FLIGHT: usize = 4;

#[derive(Deserialize)]
struct Row {
    name: String,
    coins: i32,
    goods: i32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/players.csv");
    let path = PathBuf::from(env::args_os().nth(1).unwrap_or_else(|| ours.into()));
    let file = File::open(&path).with_context(|| path.display().to_string())?;
    let store = MysqlAsyncStore::connect(&ConnectionConfig::from_env()?).await?;
    // Refused where there is a table `players`, whoever made it.
    store.create_table().await?;
    import(&store, file).await.context("the import ended early; what is stored stays in the table players")?;
    println!("the table holds {}", store.count().await?);
    // Because this is an example.
    store.drop_table().await?;
    store.close().await?;
    Ok(())
}

async fn import(store: &dyn PlayerStore, file: File) -> anyhow::Result<()> {
    // How much of the file is read, on stderr, and only where that is a terminal. Memory is bounded: what is not stored yet
    // is a few batches.
    let style = ProgressStyle::with_template("{bar:40} {percent}% {msg}")?;
    let bar = ProgressBar::new(file.metadata()?.len()).with_style(style);
    let rows = csv::Reader::from_reader(bar.wrap_read(file)).into_deserialize();

    // The import ends before the first row that cannot be read.
    let mut unreadable = None;
    let players = rows.map_while(|row| match row {
        Ok(Row { name, coins, goods }) => Some(NewPlayer::new(name, coins, goods)),
        Err(error) => {
            unreadable = Some(error);
            None
        }
    });
    let batches = Batches::of(ROWS).in_flight(IN_FLIGHT);
    let loaded = store.load(players, batches, |stored| bar.set_message(format!("{stored} stored"))).await;
    bar.finish_and_clear();
    let stored = loaded.map_err(explained)?;
    println!("{stored} players are imported");
    match unreadable {
        Some(error) => Err(error).context("the rows after this one were not read"),
        None => Ok(()),
    }
}

/// Says on stderr what became of the rows, counted from 1.
fn explained(error: LoadError) -> anyhow::Error {
    eprintln!("{} players are stored for certain", error.stored);
    for FailedBatch { place, cause, .. } in &error.failed {
        let fate = match cause.outcome() {
            Outcome::Retryable => "are not stored: import them again",
            Outcome::Final => "are not stored, and will not be as they are",
            Outcome::Unknown => {
                "may be stored, all or none: import them again as one batch, which is refused if their names are there"
            }
        };
        eprintln!("rows {} to {} {fate} ({cause})", place.start + 1, place.end);
    }
    eprintln!("no row after {} was tried", error.begun);
    error.into_cause().into()
}
