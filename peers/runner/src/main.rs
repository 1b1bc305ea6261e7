//! Runs tidb-connect and its peers side by side on one server.

mod args;
mod interruption;
mod measure;
mod peer;
mod report;
mod server;
mod worker;

use std::{
    collections::HashMap,
    env, error, fmt,
    fs::{self, File},
    io::{self, Write as _},
    process::ExitCode,
    thread,
};

use clap::Parser as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use time::{OffsetDateTime, macros::format_description};

use crate::{
    args::Args,
    interruption::Interruption,
    measure::Bench,
    peer::{PEERS, Peer},
    report::{Run, Standing},
    server::Server,
};

/// Why there is no run.
type Failure = Box<dyn error::Error + Send + Sync>;

fn main() -> ExitCode {
    match execute(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (mut text, mut source) = (failure.to_string(), failure.source());
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            say(text);
            ExitCode::FAILURE
        }
    }
}

fn execute(args: &Args) -> Result<(), Failure> {
    let run = match &args.from {
        Some(path) => serde_json::from_reader(io::BufReader::new(File::open(path)?))?,
        None => bench(args)?,
    };
    write!(io::stdout(), "{run}")?;
    if args.keep && args.from.is_none() {
        let runs = peer::root().join("../runs/peers");
        fs::create_dir_all(&runs)?;
        let path = runs.canonicalize()?.join(format!("{}-{}.json", run.date, run.server));
        fs::write(&path, serde_json::to_string_pretty(&run)? + "\n")?;
        fs::write(path.with_extension("md"), run.to_string())?;
        say(format_args!("kept in {}, and as tables beside it", path.display()));
    }
    Ok(())
}

fn bench(args: &Args) -> Result<Run, Failure> {
    let chosen = choose(args)?;
    let interruption = Interruption::listen()?;
    let made = make(&chosen, &interruption)?;
    let mut server = Server::choose()?;
    say(format_args!("{} answers on {}", server.version, server.addr));
    let mut run = Run {
        date: OffsetDateTime::now_utc().format(format_description!("[year]-[month]-[day]"))?,
        server: server.version.clone(),
        command: env::args().skip(1).fold("just bench-peers".into(), |command, arg| format!("{command} {arg}")),
        cores: thread::available_parallelism()?.get(),
        base: args.base.clone(),
        rows: (args.rows, args.batch),
        peers: Vec::new(),
        cells: Vec::new(),
    };
    let progress = ProgressBar::new(Bench::total(args, chosen.len()) as u64);
    progress.set_draw_target(ProgressDrawTarget::stderr_with_hz(4));
    progress.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len}, {eta} left, {msg}")?);
    let mut bench = Bench::new(args, &mut server, &progress, &interruption);
    let mut ready = Vec::new();
    for peer in chosen {
        progress.set_message(format!("round trips: {}", peer.name));
        let counted = match &made[peer.made_with.name()] {
            Ok(()) => bench.count(peer)?,
            Err(reason) => Err(reason.clone()),
        };
        run.peers.push(match counted {
            Ok(round_trips) => {
                ready.push(peer);
                Standing::Ready(round_trips)
            }
            Err(reason) => Standing::Missing { peer: peer.name.into(), reason },
        });
    }
    // Ratios need somebody who is there.
    if let Some(first) = ready.first().filter(|_| ready.iter().all(|peer| peer.name != run.base)) {
        run.base = first.name.into();
    }
    for &added in &args.round_trips {
        run.cells.extend(bench.measure(&ready, added)?);
    }
    progress.finish_and_clear();
    Ok(run)
}

/// The peers that are asked for.
fn choose(args: &Args) -> Result<Vec<&'static Peer>, Failure> {
    let names = || Vec::from_iter(PEERS.iter().map(|peer| peer.name)).join(", ");
    for name in args.only.iter().chain([&args.base]) {
        if PEERS.iter().all(|peer| peer.name != name) {
            return Err(format!("no peer is called {name}; there are {}", names()).into());
        }
    }
    // No task trades with another's players, and a trade takes two.
    if args.players < 2 * args.pool() {
        return Err(format!("{} tasks need at least {} players", args.pool(), 2 * args.pool()).into());
    }
    let wanted =
        |peer: &&Peer| args.only.is_empty() || peer.name == args.base || args.only.iter().any(|name| peer.name == name);
    Ok(PEERS.iter().filter(wanted).collect())
}

/// Makes the peers' programs; those that cannot be made have a reason.
fn make(peers: &[&Peer], interruption: &Interruption) -> Result<HashMap<&'static str, Result<(), String>>, Failure> {
    let mut made = HashMap::new();
    for toolchain in peers.iter().map(|peer| peer.made_with) {
        interruption.check()?;
        made.entry(toolchain.name()).or_insert_with(|| {
            say(format_args!("setting up: {}", toolchain.name()));
            toolchain.make().inspect_err(|reason| say(format_args!("cannot be set up: {reason}")))
        });
    }
    Ok(made)
}

/// Progress, for whoever waits.
fn say(what: impl fmt::Display) {
    // Whoever closed stderr does not wait.
    let _ = writeln!(io::stderr(), "{what}");
}
