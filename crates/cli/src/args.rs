//! What can be typed.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Parser, Subcommand, ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use tidb_connect_bench::{self as bench, Workload};
use tidb_connect_compare as compare;
use tidb_connect_core::{Error, ErrorKind, Result, Setting, Settings, pool::PoolPolicy};

use crate::{dotenv, driver::Driver, say};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    a setting or an argument is wrong
  3    no connection to the server
  4    a table named players was there already and has been left alone
  130  interrupted
  141  nobody reads the output any more";

const DOCTOR_HELP: &str = "\
Warnings (!) do not count. After a cross (✗) nothing more is tried.

Exit codes:
  0    no cross
  1    stdout cannot be written
  2    settings: one is wrong
  10   name: the host has no address
  11   TCP: no address takes the connection
  12   greeting: what answers is no MySQL server, or wants no connection
  13   TLS: the certificate, or one side insists and the other has none
  14   login: refused, or without an answer
  15   database: not there, or not for this user
  16   privileges: one is missing
  17   the server failed later
  130  interrupted
  141  nobody reads the output any more";

const COMPARE_HELP: &str = "\
Without a configured server it starts a throw-away one.

Exit codes:
  0    done
  1    failed, or a probe failed
  2    a setting or an argument is wrong
  3    no connection to the server
  130  interrupted
  141  nobody reads the output any more";

const BENCH_HELP: &str = "\
Of several values, each is measured with each of the others: --tasks 1,32,256 shows growth. Without a configured server it
starts a throw-away one. A subject whose operations fail is no failure of the command: the report counts them.

Exit codes:
  0    done
  1    failed
  2    a setting or an argument is wrong
  3    no connection to the server
  130  interrupted
  141  nobody reads the output any more";

const PLAYGROUND_HELP: &str = "\
Without CMD the server's settings are printed as .env lines, and it runs until Ctrl-C.

Exit codes: CMD's own, 128 + n where signal n ended it, and without CMD 0; else
  1    failed
  2    CMD cannot be run
  130  interrupted
  141  nobody reads the output any more";

/// See every Rust MySQL driver run against TiDB.
#[derive(Debug, Parser)]
#[command(name = "tidb-connect", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find out why a connection fails, step by step, with the answer in the first line
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Create players, trade goods for coins, print what the store returned, and remove it all
    #[command(after_help = EXIT_CODES)]
    Run(RunArgs),
    /// See what each driver does, question by question, in a database of its own
    #[command(after_help = COMPARE_HELP)]
    Compare(CompareArgs),
    /// Measure the drivers, bare and through this workspace's crates, in turns, in a database of its own
    #[command(after_help = BENCH_HELP)]
    Bench(BenchArgs),
    /// Run a command with a throw-away server, or keep one in the foreground
    #[command(after_help = PLAYGROUND_HELP)]
    Playground(PlaygroundArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// See it through this driver's eyes; else mysql logs in, which shows most
    #[arg(long, value_enum)]
    pub(crate) driver: Option<Driver>,
    /// What the user must be allowed to do
    #[arg(long = "for", value_enum, default_value = "run")]
    pub(crate) purpose: Purpose,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Purpose {
    /// What `tidb-connect run` does
    Run,
    /// Nothing but to log in
    Connect,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Which driver to use
    #[arg(long, value_enum, default_value = "sqlx")]
    pub(crate) driver: Driver,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompareArgs {
    /// Drivers to compare; else all
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) driver: Vec<Driver>,
    /// Probes, and chapters of them, by name; else all
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Compile a program with each crate, too, and tell what that costs: takes minutes, cargo and a checkout of this workspace
    #[arg(long)]
    pub(crate) cost: bool,
    /// What to print
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: Format,
    /// Print what has changed since this run, which is a file of --format json
    #[arg(long, value_name = "RUN.json")]
    pub(crate) against: Option<PathBuf>,
    /// Add to Markdown and HTML what is different in this run on another server
    #[arg(long, value_name = "RUN.json")]
    pub(crate) beside: Vec<PathBuf>,
    /// Add to Markdown and HTML how fast the drivers are, from a file of bench --json
    #[arg(long, value_name = "BENCH.json")]
    pub(crate) bench: Option<PathBuf>,
    /// Print this run again, without a server
    #[arg(long, value_name = "RUN.json", conflicts_with_all = ["driver", "only"])]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Tables for a terminal
    Text,
    /// The run itself, for --from, --against and programs
    Json,
    /// A page for a repository
    Markdown,
    /// One page for a browser, with evidence and the source of every probe
    Html,
}

impl CompareArgs {
    /// What makes the same observations again; where the server is, is not in it.
    pub(crate) fn command(&self) -> String {
        let drivers = self.driver.iter().map(|driver| format!(" --driver {}", driver.name()));
        let only = self.only.iter().map(|name| format!(" --only {name}"));
        let cost = self.cost.then(|| " --cost".to_owned());
        ["tidb-connect compare".to_owned()].into_iter().chain(drivers).chain(only).chain(cost).collect()
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Drivers to measure; else all
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) driver: Vec<Driver>,
    /// What to do; else all of it
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',', value_parser = workloads())]
    pub(crate) only: Vec<Workload>,
    /// How many tasks do it at once
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "32")]
    pub(crate) tasks: Vec<usize>,
    /// The most connections that each subject may open; by default as many as a pool of these crates
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [PoolPolicy::default().max_connections()])]
    pub(crate) connections: Vec<usize>,
    /// How many players there are before it begins
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "10000")]
    pub(crate) rows: Vec<u64>,
    /// How many players bulk_load and load create with one statement
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "500")]
    pub(crate) batch: Vec<usize>,
    /// How many statements load keeps under way at once
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1")]
    pub(crate) in_flight: Vec<usize>,
    /// Added to each round trip
    #[arg(long, value_name = "MILLISECONDS", value_delimiter = ',', default_value = "0")]
    pub(crate) round_trip: Vec<u64>,
    /// Begin this many operations a second, and compare latency from when each was due; else each task begins its next one
    /// when its last one has ended, and throughput is compared
    #[arg(long, value_name = "PER_SECOND")]
    pub(crate) rate: Option<f64>,
    /// How often each subject's turn comes; one more goes first and is not counted
    #[arg(long, value_name = "N", default_value = "7")]
    pub(crate) rounds: usize,
    /// How long a turn is
    #[arg(long, value_name = "SECONDS", default_value = "0.5")]
    pub(crate) seconds: f64,
    /// How long each turn goes on before it is counted
    #[arg(long, value_name = "SECONDS", default_value = "0.1")]
    pub(crate) warm_up: f64,
    /// Print JSON, for --from, `compare --bench` and programs
    #[arg(long)]
    pub(crate) json: bool,
    /// Print this run again, without a server; it is a file of --json
    #[arg(long, value_name = "RUN.json")]
    pub(crate) from: Option<PathBuf>,
    /// Put the load also on a server that is not on this machine
    #[arg(long)]
    pub(crate) remote: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl BenchArgs {
    /// What is to be measured.
    pub(crate) fn settings(&self) -> Result<bench::Settings> {
        let drivers = match &self.driver[..] {
            [] => compare::Driver::ALL.to_vec(),
            chosen => chosen.iter().map(|driver| driver.compared()).collect::<Result<_>>()?,
        };
        let settings = bench::Settings {
            drivers: drivers.iter().map(|driver| driver.name().to_owned()).collect(),
            workloads: if self.only.is_empty() { Workload::ALL.to_vec() } else { self.only.clone() },
            tasks: self.tasks.clone(),
            connections: self.connections.clone(),
            rows: self.rows.clone(),
            batch: self.batch.clone(),
            in_flight: self.in_flight.clone(),
            round_trip_ms: self.round_trip.clone(),
            rate: self.rate,
            rounds: self.rounds,
            round_seconds: self.seconds,
            warm_up_seconds: self.warm_up,
        };
        settings.validate()?;
        Ok(settings)
    }
}

/// What measures the same again; where the server is, is not in it.
pub(crate) fn bench_command(settings: &bench::Settings) -> String {
    fn list(values: &[impl ToString]) -> String {
        values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    let rate = settings.rate.map_or_else(String::new, |rate| format!(" --rate {rate}"));
    format!(
        "tidb-connect bench --driver {} --only {} --tasks {} --connections {} --rows {} --batch {} --in-flight {} --round-trip {}{rate} \
         --rounds {} --seconds {} --warm-up {}",
        list(&settings.drivers),
        list(&settings.workloads),
        list(&settings.tasks),
        list(&settings.connections),
        list(&settings.rows),
        list(&settings.batch),
        list(&settings.in_flight),
        list(&settings.round_trip_ms),
        settings.rounds,
        settings.round_seconds,
        settings.warm_up_seconds
    )
}

fn workloads() -> impl TypedValueParser<Value = Workload> {
    let named = |name: String| Workload::ALL.into_iter().find(|workload| workload.name() == name);
    PossibleValuesParser::new(
        Workload::ALL.map(|workload| PossibleValue::new(workload.name()).help(workload.operation())),
    )
    .try_map(move |name| named(name).ok_or("no such workload"))
}

/// Where the server is. A flag beats the environment, which beats .env.
///
/// There is no flag for the password: other users of the machine could read it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Server (else the environment, else .env, as for the password: TIDB_PASSWORD)")]
pub(crate) struct ServerArgs {
    /// Host name or address (TIDB_HOST)
    #[arg(long)]
    host: Option<String>,
    /// TCP port (TIDB_PORT)
    #[arg(long)]
    port: Option<String>,
    /// User name; on TiDB Cloud Starter PREFIX.root (TIDB_USER)
    #[arg(long)]
    user: Option<String>,
    /// Database (TIDB_DB_NAME)
    #[arg(long)]
    database: Option<String>,
    /// PEM file of a CA to trust beside Mozilla's (CA_PATH)
    #[arg(long, value_name = "FILE")]
    ca_path: Option<String>,
    /// automatic, verify or disabled (TIDB_ENABLE_SSL)
    #[arg(long, value_name = "MODE")]
    tls: Option<String>,
    /// starter, essential, dedicated or self-managed, where the host name does not tell (TIDB_DEPLOYMENT)
    #[arg(long, value_name = "KIND")]
    deployment: Option<String>,
    /// Ask for the password on the terminal instead of taking it from TIDB_PASSWORD
    #[arg(long)]
    ask_password: bool,
}

impl ServerArgs {
    /// What flags, the environment and `.env` say, in this order of precedence.
    pub(crate) fn settings(self) -> Result<Settings> {
        let password = if self.ask_password { Some(ask_password()?) } else { None };
        let settings = Settings::new()
            .with_flag("--ask-password", Setting::Password, password)
            .with_flag("--host", Setting::Host, self.host)
            .with_flag("--port", Setting::Port, self.port)
            .with_flag("--user", Setting::User, self.user)
            .with_flag("--database", Setting::Database, self.database)
            .with_flag("--ca-path", Setting::CaPath, self.ca_path)
            .with_flag("--tls", Setting::Tls, self.tls)
            .with_flag("--deployment", Setting::Deployment, self.deployment)
            .with_environment()?;
        let dotenv = dotenv::read(".env".as_ref())?;
        let settings = settings.with_variables(".env", |name| dotenv.get(name).cloned());
        let settings = settings.with_names(".env", dotenv.into_keys());
        // What is wrong with them is reported where they are used.
        for notice in settings.notices().unwrap_or_default() {
            say(format_args!("note: {notice}"));
        }
        Ok(settings)
    }
}

fn ask_password() -> Result<String> {
    rpassword::prompt_password("Password: ").map_err(|cause| {
        let message = "--ask-password needs a terminal to ask on: set TIDB_PASSWORD instead";
        Error::new(ErrorKind::Config, message).with_source(cause)
    })
}

#[derive(Debug, clap::Args)]
pub(crate) struct PlaygroundArgs {
    /// The command, run with TIDB_HOST, TIDB_PORT, TIDB_USER, TIDB_PASSWORD and TIDB_DB_NAME set
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}
