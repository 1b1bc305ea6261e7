//! All that is measured, in turns: every peer does the same for a moment, one after the other, round after round, in
//! another order each time. In the same one, who came after a slow peer met a server that had rested (seen in bulk loads).

use std::{thread, time::Duration};

use indicatif::ProgressBar;
use tidb_connect_wire::{Link, Proxy};

use crate::{
    Failure,
    args::Args,
    interruption::Interruption,
    peer::Peer,
    report::{Cell, RoundTrips},
    server::Server,
    worker::{Request, Sample, Work, Worker},
};

/// How long each operation is repeated where round trips are counted, and how many batches are loaded.
const COUNTING: (f64, usize) = (0.05, 4);
/// How long a peer is warmed up for a measurement, in seconds.
const WARM_UP: f64 = 0.1;
/// What pools do behind a returned connection is over by then.
const SETTLED: Duration = Duration::from_millis(20);
/// What is repeated until a time is over.
const REPEATED: [Work; 3] = [Work::Read, Work::Trade, Work::Create];

/// What all measurements have in common.
pub(crate) struct Bench<'a> {
    args: &'a Args,
    server: &'a mut Server,
    progress: &'a ProgressBar,
    interruption: &'a Interruption,
    /// How many requests were made, which gives new players new names.
    requests: usize,
}

/// A peer at work, or why it is not.
type Turn<'a> = (&'a Peer, Result<Worker, String>);

impl<'a> Bench<'a> {
    pub(crate) fn new(
        args: &'a Args,
        server: &'a mut Server,
        progress: &'a ProgressBar,
        interruption: &'a Interruption,
    ) -> Self {
        Self { args, server, progress, interruption, requests: 0 }
    }

    /// How many requests all measurements of `peers` peers take.
    pub(crate) fn total(args: &Args, peers: usize) -> usize {
        let works = |works: &[Work]| works.iter().filter(|work| args.work.contains(work)).count();
        let a_task = works(&REPEATED) * (1 + args.rounds) + works(&[Work::Load]) * args.rounds;
        let a_round_trip = a_task * args.tasks.len() + works(&[Work::Run]) * args.rounds;
        peers * (1 + 2 * (REPEATED.len() + 1) + args.round_trips.len() * a_round_trip)
    }

    /// Counts the round trips that each operation takes on one warm connection; `Err` inside where the peer fails.
    pub(crate) fn count(&mut self, peer: &Peer) -> Result<Result<RoundTrips, String>, Failure> {
        self.server.clear()?;
        let proxy = Proxy::start(self.server.addr)?;
        let mut worker = Worker::start(peer, &self.server.config, proxy.addr(), 1);
        let made = || {
            thread::sleep(SETTLED);
            proxy.report().round_trips()
        };
        let (seconds, batches) = COUNTING;
        let mut counted = RoundTrips { peer: peer.name.into(), ..Default::default() };
        let before = made();
        if let Err(error) = self.ask(&mut worker, Work::Run, 1, 0.0, 0)? {
            return Ok(Err(error));
        }
        counted.run = (made() - before) as f64;
        counted.version = worker.as_ref().map(|worker| worker.version.clone()).unwrap_or_default();
        self.server.fill(self.args.players)?;
        for (work, of, seconds, count) in [
            (Work::Read, 1, seconds, &mut counted.read),
            (Work::Create, 1, seconds, &mut counted.create),
            (Work::Trade, 1, seconds, &mut counted.trade),
            (Work::Load, self.args.batch, self.args.load_seconds, &mut counted.batch),
        ] {
            // The first time warms up.
            for _ in 0..2 {
                let before = made();
                match self.ask(&mut worker, work, 1, seconds, batches * self.args.batch)? {
                    Ok(sample) => *count = (made() - before) as f64 * of as f64 / sample.operations as f64,
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
        Ok(Ok(counted))
    }

    /// Measures all `peers` with a round-trip time of `added` milliseconds more.
    pub(crate) fn measure<'p>(&mut self, peers: &[&'p Peer], added: u64) -> Result<Vec<Cell>, Failure> {
        let link = match added {
            0 => None,
            added => Some(Link::start(self.server.addr, Duration::from_millis(added))?),
        };
        let addr = link.as_ref().map_or(self.server.addr, Link::addr);
        let mut cells = Vec::new();
        self.server.clear()?;
        let start = |peer: &&'p Peer| (*peer, Worker::start(peer, &self.server.config, addr, self.args.pool()));
        let mut turns = Vec::from_iter(peers.iter().map(start));
        if self.args.work.contains(&Work::Run) {
            // What a run that failed may have left would fail the next.
            cells.extend(self.rounds(&mut turns, (Work::Run, added, 1), Server::clear)?);
        }
        self.server.fill(self.args.players)?;
        for work in REPEATED {
            for &tasks in self.args.tasks.iter().filter(|_| self.args.work.contains(&work)) {
                for (_, worker) in &mut turns {
                    // A failure is met again where it counts.
                    let _ = self.ask(worker, work, tasks, WARM_UP, 0)?;
                }
                cells.extend(self.rounds(&mut turns, (work, added, tasks), |_| Ok(()))?);
            }
        }
        if self.args.work.contains(&Work::Load) {
            let players = self.args.players;
            for &tasks in &self.args.tasks {
                cells.extend(self.rounds(&mut turns, (Work::Load, added, tasks), |server| server.fill(players))?);
            }
        }
        Ok(cells)
    }

    /// One measurement, `before` which the server is prepared, of each peer in turns.
    fn rounds(
        &mut self,
        turns: &mut [Turn<'_>],
        (work, round_trip_ms, tasks): (Work, u64, usize),
        before: impl Fn(&mut Server) -> Result<(), Failure>,
    ) -> Result<Vec<Cell>, Failure> {
        let cell = |(peer, _): &Turn<'_>| Cell {
            peer: peer.name.into(),
            work,
            round_trip_ms,
            tasks,
            samples: Vec::new(),
            error: None,
        };
        let mut cells = Vec::from_iter(turns.iter().map(cell));
        let (seconds, rows) = match work {
            Work::Load => (self.args.load_seconds, self.args.rows),
            _ => (self.args.seconds, 0),
        };
        let mut order = Vec::from_iter(0..turns.len());
        for _ in 0..self.args.rounds {
            fastrand::shuffle(&mut order);
            for &turn in &order {
                let ((peer, worker), cell) = (&mut turns[turn], &mut cells[turn]);
                before(self.server)?;
                self.progress.set_message(format!("{round_trip_ms} ms, {tasks} tasks, {work:?}: {}", peer.name));
                let sample = self.ask(worker, work, tasks, seconds, rows)?;
                cell.samples.push(sample.map_err(|error| cell.error = Some(error)).ok());
            }
        }
        Ok(cells)
    }

    fn ask(
        &mut self,
        worker: &mut Result<Worker, String>,
        work: Work,
        tasks: usize,
        seconds: f64,
        rows: usize,
    ) -> Result<Result<Sample, String>, Failure> {
        self.interruption.check()?;
        self.requests += 1;
        self.progress.inc(1);
        let Args { players, batch, .. } = *self.args;
        let prefix = format!("r{}", self.requests);
        let request = Request { r#do: work, tasks, seconds, players, rows, batch, prefix };
        Ok(worker.as_mut().map_err(|error| error.clone()).and_then(|worker| worker.ask(&request)))
    }
}
