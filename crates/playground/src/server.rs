use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use tidb_connect_wire::Greeting;

use crate::greeting;
use crate::install::{self, Run};
use crate::sandbox::Sandbox;
use crate::{Error, Kind, Playground};

/// For all of a start. A few seconds are usual; a loaded machine may take many more.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Another program can take the port that was found free before the server does.
const PORT_TRIES: u32 = 5;
const LOG_LINES: usize = 20;

/// A running server. Dropping it kills it and removes all its files.
#[derive(Debug)]
pub struct Server {
    playground: Playground,
    version: String,
    port: u16,
    pid: u32,
    sandbox: Sandbox,
}

impl Playground {
    /// Starts the server, and returns when it answers: usually after 1 to 3 seconds.
    ///
    /// # Errors
    ///
    /// If the temporary directory cannot be made, or if the server ends before it answers or has not answered after
    /// 60 seconds: the error then shows the last 20 lines of its log. Also if a certificate [was
    /// given](Self::with_tls) that cannot be read or used. Nothing is left behind.
    pub fn start(&self) -> Result<Server, Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        let mut sandbox = Sandbox::new().map_err(Error::because("cannot make a directory for the server"))?;

        if let Some(run) = install::install(self, sandbox.path())? {
            let log = sandbox.path().join("install.log");
            self.spawn(&mut sandbox, &run, &log)?;
            self.wait_for_install(&mut sandbox, &log, deadline)?;
        }

        let mut tries = 0;
        loop {
            tries += 1;
            let port = free_port().map_err(Error::because("cannot find a free port on 127.0.0.1"))?;
            match self.serve(&mut sandbox, port, deadline) {
                Ok((pid, version)) => return Ok(Server { playground: self.clone(), version, port, pid, sandbox }),
                Err(_) if tries < PORT_TRIES && is_taken(&sandbox) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Serves on `port` what is in the sandbox, instead of the server before: its process and its version.
    fn serve(&self, sandbox: &mut Sandbox, port: u16, deadline: Instant) -> Result<(u32, String), Error> {
        let log = log(sandbox);
        let run = install::serve(self, sandbox.path(), port)?;
        let pid = self.spawn(sandbox, &run, &log)?;
        let greeting = self.wait_for_greeting(sandbox, port, &log, deadline)?;
        // TiDB takes a certificate that it cannot use for none.
        if self.tls().is_some() && !greeting.offers_tls() {
            return Err(self.failed("cannot use the certificate or its key", &log));
        }
        Ok((pid, greeting::clean(&greeting.version).to_owned()))
    }

    fn spawn(&self, sandbox: &mut Sandbox, run: &Run, log: &Path) -> Result<u32, Error> {
        let mut spawn = || {
            let stdin = run.stdin.as_ref().map_or(Ok(Stdio::null()), |path| File::open(path).map(Stdio::from))?;
            sandbox.spawn(self.path(), &run.args, stdin, log)
        };
        spawn().map_err(Error::because(format!("cannot start {}", self.path().display())))
    }

    fn wait_for_install(&self, sandbox: &mut Sandbox, log: &Path, deadline: Instant) -> Result<(), Error> {
        loop {
            match self.poll(sandbox)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.failed(&format!("could not create its data ({status})"), log)),
                None if Instant::now() >= deadline => {
                    return Err(self.failed("did not create its data in 60 seconds", log));
                }
                None => thread::sleep(POLL_INTERVAL),
            }
        }
    }

    fn wait_for_greeting(
        &self,
        sandbox: &mut Sandbox,
        port: u16,
        log: &Path,
        deadline: Instant,
    ) -> Result<Greeting, Error> {
        let mark = install::ready_mark(self.kind());
        loop {
            if let Some(status) = self.poll(sandbox)? {
                return Err(self.failed(&format!("ended before it answered ({status})"), log));
            }
            // Not before the mark: a connection to a free port can meet itself and so take the port from the server.
            if read(log).contains(mark)
                && let Ok(greeting) = greeting::receive(port)
            {
                return Ok(greeting);
            }
            if Instant::now() >= deadline {
                return Err(self.failed("did not answer in 60 seconds", log));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn poll(&self, sandbox: &mut Sandbox) -> Result<Option<std::process::ExitStatus>, Error> {
        sandbox.try_wait().map_err(Error::because(format!("cannot wait for {}", self.path().display())))
    }

    fn failed(&self, what: &str, log: &Path) -> Error {
        let log = read(log);
        let lines: Vec<_> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        let log = if tail.is_empty() { "Its log is empty.".into() } else { format!("The end of its log:\n{tail}") };
        Error::new(format!("{} at {} {what}. {log}", self.kind(), self.path().display()))
    }
}

impl Server {
    /// The address to connect to, always 127.0.0.1.
    pub fn host(&self) -> &str {
        "127.0.0.1"
    }

    /// The TCP port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The product that runs.
    pub fn kind(&self) -> Kind {
        self.playground.kind()
    }

    /// The version the server greets with, less the old MySQL version that TiDB and MariaDB put before their own:
    /// `v8.5.3`, `10.11.19-MariaDB-0+deb12u1`, `8.4.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The process id of the server, which leads a process group of its own.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The environment variables that lead a TiDB sample program to this server.
    pub fn env(&self) -> [(&'static str, String); 6] {
        [
            ("TIDB_HOST", self.host().into()),
            ("TIDB_PORT", self.port.to_string()),
            ("TIDB_USER", "root".into()),
            ("TIDB_PASSWORD", String::new()),
            ("TIDB_DB_NAME", "test".into()),
            ("CA_PATH", String::new()),
        ]
    }

    /// Kills the server with SIGKILL, wherever it is in its work, and starts it again on the same port with the files that
    /// it left. Returns when it answers.
    ///
    /// What it had acknowledged is there again if its data [is durable](Playground::with_durable_data).
    ///
    /// # Errors
    ///
    /// If it cannot be killed, ends before it answers, or has not answered after 60 seconds, which may be because another
    /// program has taken the port meanwhile. The server is then not running.
    pub fn kill_and_restart(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match self.playground.serve(&mut self.sandbox, self.port, deadline) {
                Ok((pid, _)) => {
                    self.pid = pid;
                    return Ok(());
                }
                // A client that has found nobody there may have been given the port for its own end, for a moment.
                Err(_) if Instant::now() < deadline && is_taken(&self.sandbox) => thread::sleep(POLL_INTERVAL),
                Err(error) => return Err(error),
            }
        }
    }

    /// Kills the server and removes all its files. Dropping does the same, silently.
    ///
    /// # Errors
    ///
    /// If the server cannot be killed or its directory cannot be removed.
    pub fn stop(self) -> Result<(), Error> {
        let message = format!("cannot clean up after {} in {}", self.kind(), self.sandbox.path().display());
        self.sandbox.close().map_err(Error::because(message))
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn log(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join("server.log")
}

/// Whether the server ended because its port is another's.
fn is_taken(sandbox: &Sandbox) -> bool {
    read(&log(sandbox)).contains("ddress already in use")
}

/// What the log holds so far; a log that cannot be read is as good as empty.
fn read(log: &Path) -> String {
    fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
