//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, value_parser};

use crate::worker::Work;

/// Run tidb-connect and its peers side by side on one server, and print a table of ratios.
///
/// The server is the one that TIDB_HOST and its like name, which must be on this machine, else a throw-away one. No peer
/// uses TLS.
#[derive(Debug, Parser)]
#[command(name = "bench-peers")]
pub(crate) struct Args {
    /// Peers by name; else all
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// What they do
    #[arg(long, value_enum, value_delimiter = ',', default_value = "run,read,create,trade,load")]
    pub(crate) work: Vec<Work>,
    /// Added round-trip times in milliseconds
    #[arg(long, value_name = "MS", value_delimiter = ',', default_value = "0,1,5")]
    pub(crate) round_trips: Vec<u64>,
    /// Tasks at once; the largest is also the size of each pool
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,32", value_parser = at_least_one())]
    pub(crate) tasks: Vec<usize>,
    /// How often each measurement is made
    #[arg(long, value_name = "N", default_value = "3", value_parser = at_least_one())]
    pub(crate) rounds: usize,
    /// How long a peer repeats an operation
    #[arg(long, default_value = "0.4", value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Rows of the bulk load
    #[arg(long, value_name = "N", default_value = "100000", value_parser = at_least_one())]
    pub(crate) rows: usize,
    /// How many of them at a time
    #[arg(long, value_name = "N", default_value = "500", value_parser = at_least_one())]
    pub(crate) batch: usize,
    /// When a bulk load ends that is not done yet; its rate counts all the same
    #[arg(long, value_name = "SECONDS", default_value = "1.5", value_parser = seconds)]
    pub(crate) load_seconds: f64,
    /// How many players there are to read and to trade
    #[arg(long, value_name = "N", default_value = "1000", value_parser = at_least_one())]
    pub(crate) players: usize,
    /// Whom the others are compared with
    #[arg(long, value_name = "PEER", default_value = "tidb-connect-sqlx")]
    pub(crate) base: String,
    /// Keep the run as JSON in runs/peers
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print the tables of this kept run, and run nothing
    #[arg(long, value_name = "RUN.json")]
    pub(crate) from: Option<PathBuf>,
}

impl Args {
    /// The size of each pool.
    pub(crate) fn pool(&self) -> usize {
        self.tasks.iter().copied().max().unwrap_or(1)
    }
}

fn at_least_one() -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser as _;
    value_parser!(u32).range(1..=1_000_000).map(|number| number as usize)
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 600".into()),
    }
}
