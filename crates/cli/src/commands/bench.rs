//! How fast the drivers are, measured in turns on a server.

use std::{net::IpAddr, process::ExitCode};

use tidb_connect_bench::{Bench, Run, Settings};
use tidb_connect_compare::Driver;
use tidb_connect_core::{ConnectionConfig, Error, ErrorKind, Result as CoreResult};

use super::{print, progress_bar, read};
use crate::{
    args::{BenchArgs, ServerArgs, bench_command},
    failure::{Exit, Failure},
    scratch::in_scratch_database,
    server::Target,
    signal::Interruption,
};

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
    let target = async {
        let target = Target::named_or_playground(server.settings()?).await?;
        if !remote {
            check_local(&target.config)?;
        }
        Ok(target)
    };
    in_scratch_database("bench", target, interruption, async |config| {
        let bench = Bench::open(config).await?;
        let versions = Driver::ALL.map(|driver| (driver.name().to_owned(), driver.version().to_owned())).into();
        let bar = progress_bar(STEPS as u64, "{bar:30} {percent} %, {eta} left: {msg}");
        let run = bench.run(settings, bench_command(settings), versions, |progress| {
            bar.set_position((progress.done * STEPS) as u64);
            let point = progress.point;
            bar.set_message(format!("{}, {} tasks, {}", point.workload, point.tasks, progress.subject));
        });
        Ok(run.await?)
    })
    .await
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

fn write(run: &Run, json: bool) -> Result<(), Failure> {
    let text = match json {
        true => serde_json::to_string(run).map_err(|error| Failure::new(Exit::Failed, error))? + "\n",
        false => run.text(),
    };
    print(&text)
}
