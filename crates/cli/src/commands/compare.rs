//! What the drivers really do, observed on a server.

use std::process::ExitCode;

use indicatif::ProgressBar;
use tidb_connect_compare::{COST_PROGRAMS, Changes, Comparison, Report, Run, Selection, measure_costs};
use tidb_connect_core::{Error, ErrorKind, Result as CoreResult, Settings};

use super::{print, progress_bar, read, terminal_width};
use crate::{
    args::{CompareArgs, Format},
    failure::{Exit, Failure},
    scratch::in_scratch_database,
    server::Target,
    signal::Interruption,
};

/// What makes a run that can be read.
const MADE_BY: &str = "compare --format json";

pub(crate) async fn execute(args: CompareArgs) -> Result<ExitCode, Failure> {
    let mut interruption = Interruption::listen().map_err(Failure::failed)?;
    // What is wrong with a file shows before minutes are spent.
    let earlier = args.against.as_deref().map(|path| read(path, MADE_BY)).transpose()?;
    let others = args.beside.iter().map(|path| read(path, MADE_BY)).collect::<CoreResult<Vec<_>>>()?;
    let bench = args.bench.as_deref().map(|path| read(path, "bench --json")).transpose()?;
    let mut run = match &args.from {
        Some(path) => read(path, MADE_BY)?,
        None => {
            let drivers = args.driver.iter().map(|driver| driver.compared()).collect::<CoreResult<_>>()?;
            let selection = Selection::new(drivers, args.only.clone())?;
            compare(&selection, args.command(), args.server.settings()?, &mut interruption).await?
        }
    };
    if args.cost {
        if !run.has_these_drivers() {
            let message = "--cost compiles the drivers of this program, and the run of --from was made with others";
            return Err(Error::new(ErrorKind::Config, message).into());
        }
        run.costs = Some(tokio::select! {
            costs = measure_costs(cost_bar()) => costs?,
            () = interruption.wait() => return Err(Failure::interrupted()),
        });
    }
    let changes = earlier.map(|earlier| Changes::between(&earlier, &run));
    let report = Report { run: &run, changes: changes.as_ref(), others: &others, bench: bench.as_ref() };
    write(&report, args.format)?;
    match run.failures().count() {
        0 => Ok(ExitCode::SUCCESS),
        failed => {
            Err(Failure::new(Exit::Failed, format!("{failed} observations could not be made; the report says why")))
        }
    }
}

/// Makes the observations, and leaves nothing on the server.
async fn compare(
    selection: &Selection,
    command: String,
    settings: Settings,
    interruption: &mut Interruption,
) -> Result<Run, Failure> {
    in_scratch_database("compare", Target::named_or_playground(settings), interruption, async |config| {
        let (comparison, bar) = (Comparison::open(config).await?, bar());
        let run = comparison.run(selection, command, |progress| {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
            bar.set_message(format!("{} through {}", progress.id, progress.name));
        });
        Ok(run.await)
    })
    .await
}

fn bar() -> ProgressBar {
    progress_bar(0, "{bar:30} {pos}/{len} {msg}")
}

fn cost_bar() -> impl FnMut(usize, &'static str) {
    let bar = bar();
    bar.set_length(COST_PROGRAMS as u64);
    move |done, name| {
        bar.set_position(done as u64);
        bar.set_message(format!("compiling a program with {name}"));
    }
}

fn write(report: &Report<'_>, format: Format) -> Result<(), Failure> {
    let text = match format {
        Format::Text => report.text(terminal_width()),
        Format::Json => report.json()?,
        Format::Markdown => report.markdown()?,
        Format::Html => report.html()?,
    };
    print(&text)
}
