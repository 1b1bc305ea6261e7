//! A peer's process, and the lines of JSON that go to it and come from it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tidb_connect_core::ConnectionConfig;

use crate::peer::Peer;

/// How long an answer may take beyond the time that was asked for, which a machine under load needs.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a process may take to end once its stdin is closed.
const GOODBYE: Duration = Duration::from_secs(5);

/// What a peer can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// The reference run of TiDB's tutorials, from logging in to logging out
    Run,
    /// A player by id
    Read,
    /// A player stored, and its id returned
    Create,
    /// The tutorial's trade between two players with whom nobody else trades
    Trade,
    /// Many players stored, a batch after the other by each task
    Load,
}

/// What a peer is asked for; each work uses what it needs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Request {
    pub(crate) r#do: Work,
    /// At once.
    pub(crate) tasks: usize,
    /// No operation begins later.
    pub(crate) seconds: f64,
    /// Ids from 1 to this are there.
    pub(crate) players: usize,
    /// How many to load.
    pub(crate) rows: usize,
    /// How many of them at a time.
    pub(crate) batch: usize,
    /// What new names begin with, so that they are new.
    pub(crate) prefix: String,
}

/// What a peer has done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Rows for a load.
    pub(crate) operations: u64,
    pub(crate) seconds: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<u64>,
}

impl Sample {
    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        self.operations as f64 / self.seconds
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reply {
    Ready { ready: String },
    Measured(Sample),
    Failed { error: String },
}

/// A peer's process, in a group of its own so that the terminal's Ctrl-C is the runner's alone. It ends when its stdin is
/// closed, which also happens when the runner dies in whatever way.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Child,
    requests: Option<ChildStdin>,
    replies: Receiver<String>,
    /// What the peer said that it is.
    pub(crate) version: String,
}

impl Worker {
    /// Starts the peer with a pool of at most `pool` connections to `addr`, and waits until it has one.
    pub(crate) fn start(peer: &Peer, config: &ConnectionConfig, addr: SocketAddr, pool: usize) -> Result<Self, String> {
        let mut process = peer
            .command()
            .arg(pool.to_string())
            .env("TIDB_HOST", addr.ip().to_string())
            .env("TIDB_PORT", addr.port().to_string())
            .env("TIDB_USER", config.user())
            .env("TIDB_PASSWORD", config.password().expose())
            .env("TIDB_DB_NAME", config.database())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot be started: {error}"))?;
        let (requests, lines) = (process.stdin.take(), process.stdout.take());
        let (sender, replies) = mpsc::channel();
        let mut worker = Self { process, requests, replies, version: String::new() };
        let lines = BufReader::new(lines.ok_or("has no stdout")?).lines();
        // Ends with the process.
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        match worker.reply(PATIENCE)? {
            Reply::Ready { ready } => worker.version = ready,
            Reply::Failed { error } => return Err(error),
            Reply::Measured(_) => return Err("spoke out of turn".into()),
        }
        Ok(worker)
    }

    /// Lets the peer do something.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Sample, String> {
        let line = serde_json::to_string(request).map_err(|error| error.to_string())?;
        let requests = self.requests.as_mut().ok_or("has no stdin")?;
        writeln!(requests, "{line}").map_err(|error| format!("cannot be asked: {error}"))?;
        match self.reply(PATIENCE + Duration::from_secs_f64(request.seconds))? {
            Reply::Measured(sample) => Ok(sample),
            Reply::Failed { error } => Err(error),
            Reply::Ready { .. } => Err("spoke out of turn".into()),
        }
    }

    fn reply(&mut self, limit: Duration) -> Result<Reply, String> {
        match self.replies.recv_timeout(limit) {
            Ok(line) => serde_json::from_str(&line).map_err(|_| format!("said {line}")),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err("ended".into()),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                // What it says later would be taken for an answer to something else.
                self.requests = None;
                Err(format!("no answer in {} s", limit.as_secs()))
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.requests = None;
        let deadline = Instant::now() + GOODBYE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        // Neither fails but for a process that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
