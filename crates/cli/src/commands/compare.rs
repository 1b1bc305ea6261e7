//! What the drivers really do, observed on a server.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tidb_connect_compare::{COST_PROGRAMS, Changes, Comparison, Report, Run, Selection, measure_costs};
use tidb_connect_core::{Error, ErrorKind, Result as CoreResult, Settings};
use tokio::time::timeout;

use super::read;
use crate::{
    args::{CompareArgs, Format},
    failure::{Exit, Failure, unwritable},
    server::{Target, connected},
    signal::Interruption,
};

/// How long removing the database may take once the run has ended.
const CLEAN_UP: Duration = Duration::from_secs(30);

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
    let mut target = None;
    let comparison = tokio::select! {
        comparison = async {
            let target = target.insert(Target::named_or_playground(settings).await?);
            let pool = connected(&target.config, tidb_connect_mysql_async::connect(&target.config)).await?;
            Comparison::open(pool).await.map_err(Failure::from)
        } => comparison?,
        () = interruption.wait() => return Err(Failure::interrupted()),
    };
    let bar = bar();
    let run = tokio::select! {
        run = comparison.run(selection, command, |progress| {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
            bar.set_message(format!("{} through {}", progress.id, progress.name));
        }) => Ok(run),
        () = interruption.wait() => Err(Failure::interrupted()),
    };
    bar.finish_and_clear();
    let closed = timeout(CLEAN_UP, comparison.close()).await.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::TimedOut,
            "the server does not answer: its database tidb_connect_compare_… is still there",
        ))
    });
    match (run, closed) {
        (Ok(run), closed) => closed.map(|()| run).map_err(Failure::from),
        (Err(failure), Ok(())) => Err(failure),
        (Err(failure), Err(error)) => Err(failure.with_note(error.to_string())),
    }
}

/// A bar on stderr, where that is a terminal.
fn bar() -> ProgressBar {
    // The template is known to be right.
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
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
        Format::Text => report.text(u16::try_from(textwrap::termwidth()).unwrap_or(u16::MAX)),
        Format::Json => report.json()?,
        Format::Markdown => report.markdown()?,
        Format::Html => report.html()?,
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)?;
    Ok(())
}
