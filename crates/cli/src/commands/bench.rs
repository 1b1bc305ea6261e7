//! How fast the drivers are, measured in turns on a server.

use std::{
    io::{self, Write},
    net::IpAddr,
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tidb_connect_bench::{Bench, Run, Settings};
use tidb_connect_compare::Driver;
use tidb_connect_core::{ConnectionConfig, Error, ErrorKind, Result as CoreResult};
use tokio::time::timeout;

use super::read;
use crate::{
    args::{BenchArgs, ServerArgs, bench_command},
    failure::{Exit, Failure, unwritable},
    server::{Target, connected},
    signal::Interruption,
};

/// How long removing the database may take once the run has ended.
const CLEAN_UP: Duration = Duration::from_secs(30);

/// The steps of the bar.
const STEPS: f64 = 10_000.0;

pub(crate) async fn execute(args: BenchArgs) -> Result<ExitCode, Failure> {
    let mut interruption = Interruption::listen().map_err(Failure::failed)?;
    let run = match &args.from {
        Some(path) => read(path, "bench --json")?,
        None => measure(&args.settings()?, args.server, args.remote, &mut interruption).await?,
    };
    write(&run, args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Measures, and leaves nothing on the server.
async fn measure(
    settings: &Settings,
    server: ServerArgs,
    remote: bool,
    interruption: &mut Interruption,
) -> Result<Run, Failure> {
    let mut target = None;
    let bench = tokio::select! {
        bench = async {
            let target = target.insert(Target::named_or_playground(server.settings()?).await?);
            if !remote {
                check_local(&target.config)?;
            }
            let pool = connected(&target.config, tidb_connect_mysql_async::connect(&target.config)).await?;
            Bench::open(pool).await.map_err(Failure::from)
        } => bench?,
        () = interruption.wait() => return Err(Failure::interrupted()),
    };
    let versions = Driver::ALL.map(|driver| (driver.name().to_owned(), driver.version().to_owned())).into();
    let bar = bar();
    let run = tokio::select! {
        run = bench.run(settings, bench_command(settings), versions, |progress| {
            bar.set_position((progress.done * STEPS) as u64);
            let point = progress.point;
            bar.set_message(format!("{}, {} tasks, {}", point.workload, point.tasks, progress.subject));
        }) => run.map_err(Failure::from),
        () = interruption.wait() => Err(Failure::interrupted()),
    };
    bar.finish_and_clear();
    let closed = timeout(CLEAN_UP, bench.close()).await.unwrap_or_else(|_| {
        let message = "the server does not answer: its database tidb_connect_bench_… is still there";
        Err(Error::new(ErrorKind::TimedOut, message))
    });
    match (run, closed) {
        (Ok(run), closed) => closed.map(|()| run).map_err(Failure::from),
        (Err(failure), Ok(())) => Err(failure),
        (Err(failure), Err(error)) => Err(failure.with_note(error.to_string())),
    }
}

/// Settings that were made for something else must not be enough to put load on a server in use.
fn check_local(config: &ConnectionConfig) -> CoreResult<()> {
    let host = config.host();
    if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
        return Ok(());
    }
    let message = format!("{host} is not on this machine: add --remote to put the load of a bench on it all the same");
    Err(Error::new(ErrorKind::Config, message))
}

/// A bar on stderr, where that is a terminal.
fn bar() -> ProgressBar {
    // The template is known to be right.
    let style = ProgressStyle::with_template("{bar:30} {percent} %, {eta} left: {msg}");
    ProgressBar::new(STEPS as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn write(run: &Run, json: bool) -> Result<(), Failure> {
    let text = match json {
        true => serde_json::to_string_pretty(run).map_err(|error| Failure::new(Exit::Failed, error))? + "\n",
        false => run.text(u16::try_from(textwrap::termwidth()).unwrap_or(u16::MAX)),
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(())
}
