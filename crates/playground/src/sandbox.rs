//! One temporary directory, at most one server process in it, and the promise that neither outlives this process.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

/// Reads orders until every write end of its stdin is closed, which also happens when this process dies in whatever
/// way. A number is the process group to kill at the end; an empty line says to kill it now and forget it.
///
/// It always does the last cleaning itself, so that the way taken after SIGKILL is the way taken every day. A server
/// that is being killed may still create files: hence the repetition.
const GUARD: &str = r#"
group=
while read -r order; do
    [ -n "$order" ] || kill -s KILL -- "-$group"
    group=$order
done
[ -z "$group" ] || kill -s KILL -- "-$group"
for _ in 1 2 3 4 5; do
    rm -rf -- "$1" && exit
    sleep 1
done
exit 1
"#;

/// Reports its process group to the guard before it becomes the server: there is no moment at which the server runs
/// and the guard does not know it. Without a guard, `echo` fails (SIGPIPE) and nothing starts.
const LAUNCH: &str = r#"log=$1; shift; echo $$ && exec "$@" >"$log" 2>&1"#;

#[derive(Debug)]
pub(crate) struct Sandbox {
    guard: Child,
    server: Option<Child>,
    /// Removed by the guard. This one removes it if the guard was killed, and if there never was one.
    dir: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("tidb-playground-").tempdir()?;
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "tidb-playground-guard"])
            .arg(dir.path())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // The terminal's Ctrl-C must reach only this process, which then stops the server in order.
            .process_group(0)
            .spawn()?;
        Ok(Self { guard, server: None, dir })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts `program` in the directory, with its output in the new file `log`, instead of the server before.
    pub(crate) fn spawn<A: AsRef<OsStr>>(
        &mut self,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        stdin: Stdio,
        log: &Path,
    ) -> io::Result<u32> {
        self.kill()?;
        let orders = self.guard.stdin.as_ref().ok_or(io::ErrorKind::BrokenPipe)?.as_fd().try_clone_to_owned()?;
        let server = Command::new("/bin/sh")
            .args(["-c", LAUNCH, "tidb-playground-launch"])
            .arg(log)
            .arg(program)
            .args(args)
            .current_dir(self.path())
            .env("TMPDIR", self.path())
            // The log is searched for the system's English error texts.
            .env("LC_ALL", "C")
            .stdin(stdin)
            .stdout(orders)
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(self.server.insert(server).id())
    }

    /// The exit status of the server once it has ended.
    pub(crate) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(server) = &mut self.server else { return Ok(None) };
        let status = server.try_wait()?;
        if status.is_some() {
            self.kill()?;
        }
        Ok(status)
    }

    /// Kills the server with all that it started, and waits until it is gone. The directory stays.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        if let Some(orders) = &mut self.guard.stdin {
            // A guard that is gone cannot be told; the kill below still reaches the server itself.
            let _ = orders.write_all(b"\n");
        }
        server.kill()?;
        server.wait().map(drop)
    }

    /// Kills the server and removes the directory, as a drop does, but says what went wrong.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.clean()
    }

    fn clean(&mut self) -> io::Result<()> {
        let killed = self.kill();
        // `wait` closes the guard's stdin, which is its sign to end.
        self.guard.wait()?;
        match fs::remove_dir_all(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => killed,
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.clean();
    }
}
