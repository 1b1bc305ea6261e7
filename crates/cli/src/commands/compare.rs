//! What the drivers really do, observed on a server.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tidb_connect_compare::{Comparison, Run, Selection};
use tokio::time::timeout;

use crate::{
    args::CompareArgs,
    failure::{Failure, unwritable},
    say,
    server::{Target, connected},
    signal::Interruption,
};

/// How long removing the database may take once the run has ended.
const CLEAN_UP: Duration = Duration::from_secs(30);

pub(crate) async fn execute(args: CompareArgs) -> Result<ExitCode, Failure> {
    let mut interruption = Interruption::listen().map_err(Failure::failed)?;
    let command = args.command();
    let selection =
        Selection::new(args.driver.iter().map(|driver| driver.compared()).collect::<Result<_, _>>()?, args.only)?;
    let settings = args.server.settings()?;
    let mut target = None;
    let comparison = tokio::select! {
        comparison = async {
            let target = target.insert(Target::named_or_playground(settings).await?);
            connected(&target.config, Comparison::open(&target.config)).await
        } => comparison?,
        () = interruption.wait() => return Err(Failure::interrupted()),
    };
    let run = tokio::select! {
        run = observe(&comparison, &selection, command) => Some(run),
        () = interruption.wait() => None,
    };
    let closed = timeout(CLEAN_UP, comparison.close()).await;
    let Some(run) = run else { return Err(Failure::interrupted()) };
    if let Ok(closed) = closed {
        closed?;
    }
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &run)
        .map_err(io::Error::from)
        .and_then(|()| writeln!(out))
        .map_err(unwritable)?;
    Ok(ExitCode::SUCCESS)
}

async fn observe(comparison: &Comparison, selection: &Selection, command: String) -> Run {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    let run = comparison
        .run(selection, command, |progress| {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
            bar.set_message(format!("{} through {}", progress.id, progress.name));
        })
        .await;
    bar.finish_and_clear();
    for (id, name, reason) in run.failures() {
        say(format_args!("{id} through {name} failed: {reason}"));
    }
    run
}
