//! What goes wrong, and how long it takes the store to get over it.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use tidb_connect_playground::Server as Process;
use tidb_connect_wire::Proxy;

use super::{OPERATION, workload::Workload};
use crate::{Failure, Server, failure::holds};

/// How long a store is waited for: what is later than the limit is measured, up to here.
const PATIENCE: Duration = Duration::from_secs(30);

const CUTS: u32 = 10;

/// Long enough for a worker to be at work again.
const BETWEEN_CUTS: Duration = Duration::from_millis(40);

/// A cut and a KILL take a moment to arrive: a call made before that proves nothing.
const ARRIVAL: Duration = Duration::from_millis(20);

/// The kinds of disturbance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Disturbance {
    /// Every connection is cut, and so are those that take their place, some times over: some calls are sure to be under
    /// way.
    Cuts,
    /// The network is silent for less than the operation time-out.
    ShortSilence,
    /// The network is silent for longer; what was sent arrives afterwards, when its caller has given up.
    LongSilence,
    /// The network is silent for longer, and every connection is cut then; what was sent never arrives.
    CutSilence,
    /// The server ends one connection or all of them.
    KillConnection,
    /// The server closes every connection because it was idle.
    IdleTimeout,
    /// The server is killed and starts again.
    KillServer,
}

const ALL: [Disturbance; 7] = [
    Disturbance::Cuts,
    Disturbance::ShortSilence,
    Disturbance::LongSilence,
    Disturbance::CutSilence,
    Disturbance::KillConnection,
    Disturbance::IdleTimeout,
    Disturbance::KillServer,
];

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cuts => "connections cut",
            Self::ShortSilence => "short silence",
            Self::LongSilence => "long silence",
            Self::CutSilence => "silence, then cut",
            Self::KillConnection => "KILL CONNECTION",
            Self::IdleTimeout => "idle time-out",
            Self::KillServer => "server killed",
        })
    }
}

/// Disturbs the store under test.
pub(super) struct Disturber<'a> {
    pub(super) process: Process,
    pub(super) server: &'a Server,
    pub(super) proxy: &'a Proxy,
    pub(super) random: fastrand::Rng,
}

impl Disturber<'_> {
    /// All disturbances, in the order of chance.
    pub(super) fn round(&mut self) -> [Disturbance; 7] {
        let mut all = ALL;
        self.random.shuffle(&mut all);
        all
    }

    /// From `least` to twice as long.
    pub(super) fn pause(&mut self, least: Duration) {
        thread::sleep(least.mul_f64(1.0 + self.random.f64()));
    }

    /// Causes a disturbance, and returns how long it took after its end until every worker was served; `None` when they
    /// were not, for as long as the kit waits.
    pub(super) fn cause(&mut self, it: Disturbance, workload: &Workload) -> Result<Option<Duration>, Failure> {
        match it {
            Disturbance::Cuts => {
                for _ in 0..CUTS {
                    self.proxy.cut();
                    self.pause(BETWEEN_CUTS);
                }
            }
            Disturbance::ShortSilence => {
                self.proxy.hold();
                self.pause(OPERATION / 5);
                self.proxy.release();
            }
            Disturbance::LongSilence | Disturbance::CutSilence => {
                self.proxy.hold();
                self.pause(OPERATION.mul_f64(1.1));
                if it == Disturbance::CutSilence {
                    self.proxy.cut();
                    thread::sleep(ARRIVAL);
                }
                self.proxy.release();
            }
            Disturbance::KillConnection => {
                // Drawn before the server is asked: its answer must not change what is drawn afterwards.
                let (all, one) = (self.random.bool(), self.random.usize(..));
                let mut others = self.server.others()?;
                if !all && !others.is_empty() {
                    others = vec![others.swap_remove(one % others.len())];
                }
                for id in others {
                    // It is an error for a connection that has ended by itself.
                    let _ = self.server.sql(&format!("KILL CONNECTION {id}"));
                }
            }
            Disturbance::IdleTimeout if !self.idle_timeout(workload)? => return Ok(None),
            Disturbance::IdleTimeout => {}
            Disturbance::KillServer => self
                .process
                .kill_and_restart()
                .map_err(|error| Failure::caused("the kit cannot start the server again:", &error))?,
        }
        Ok(served(workload))
    }

    /// Lets the pool have connections that the server closes after a second, and waits until it has. Whether the pool
    /// came so far as to have them.
    fn idle_timeout(&self, workload: &Workload) -> Result<bool, Failure> {
        let usual = self.server.sql("SELECT @@GLOBAL.wait_timeout")?.concat();
        self.server.sql("SET GLOBAL wait_timeout = 1")?;
        self.proxy.cut();
        let has_them = served(workload).is_some();
        workload.rest();
        let closed = if has_them { gone(self.server) } else { Ok(()) };
        self.server.sql(&format!("SET GLOBAL wait_timeout = {usual}"))?;
        workload.work();
        closed.map(|()| has_them)
    }
}

/// How long it takes until every worker is served again.
fn served(workload: &Workload) -> Option<Duration> {
    let since = Instant::now();
    while !workload.is_served(since + ARRIVAL) {
        if since.elapsed() > PATIENCE {
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Some(since.elapsed())
}

/// Waits until the server has no connection to the check's database but the kit's.
pub(super) fn gone(server: &Server) -> Result<(), Failure> {
    let since = Instant::now();
    while !server.others()?.is_empty() {
        holds(&format!("the server still has connections after {PATIENCE:?}"), since.elapsed() < PATIENCE)?;
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
