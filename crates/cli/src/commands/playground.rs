//! A throw-away server for a command, or in the foreground.

use std::{
    io::{self, Write},
    os::unix::process::ExitStatusExt,
    process::{ExitCode, ExitStatus},
};

use tidb_connect_core::{Error, ErrorKind, Settings};
use tidb_connect_playground::Server;
use tokio::{process, time};

use crate::{
    args::PlaygroundArgs,
    failure::{Exit, Failure, unwritable},
    say,
    server::start_playground,
    signal::Interruption,
};

/// How long the command may take to end after SIGTERM before it is killed.
const GRACE: time::Duration = time::Duration::from_secs(10);

pub(crate) async fn execute(args: PlaygroundArgs) -> Result<ExitCode, Failure> {
    let mut interruption = Interruption::listen().map_err(Failure::failed)?;
    let server = tokio::select! {
        server = start_playground() => server?,
        () = interruption.wait() => return Err(Failure::interrupted()),
    };
    let code = match args.command.split_first() {
        Some((program, arguments)) => {
            let mut command = process::Command::new(program);
            command.args(arguments);
            run(command, &server, &mut interruption).await?
        }
        None => {
            show(&server).map_err(unwritable)?;
            interruption.wait().await;
            ExitCode::SUCCESS
        }
    };
    server.stop()?;
    Ok(code)
}

/// Runs the command with the server's settings and nobody else's.
async fn run(
    mut command: process::Command,
    server: &Server,
    interruption: &mut Interruption,
) -> Result<ExitCode, Failure> {
    for variable in Settings::variables() {
        command.env_remove(variable);
    }
    let mut child = command.envs(server.env()).kill_on_drop(true).spawn().map_err(|error| {
        let program = command.as_std().get_program().to_string_lossy();
        Error::new(ErrorKind::Config, format!("the command {program} cannot be run: check its name")).with_source(error)
    })?;
    // Ctrl-C is not ours: the terminal sends it to the command too, which may well go on, as a shell does.
    tokio::select! {
        status = child.wait() => return status.map(code).map_err(Failure::failed),
        () = interruption.terminated() => {}
    }
    terminate(&child).await.map_err(Failure::failed)?;
    if time::timeout(GRACE, child.wait()).await.is_err() {
        child.kill().await.map_err(Failure::failed)?;
    }
    Err(Failure::interrupted())
}

/// Sends SIGTERM, through the shell because the standard library cannot.
async fn terminate(child: &process::Child) -> io::Result<()> {
    if let Some(id) = child.id() {
        process::Command::new("/bin/sh").args(["-c", "kill -s TERM $0", &id.to_string()]).status().await?;
    }
    Ok(())
}

/// The command's own exit code, or what a shell makes of the signal that ended it.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(Exit::Failed as u8))
}

fn show(server: &Server) -> io::Result<()> {
    let mut out = io::stdout();
    for (name, value) in server.env() {
        writeln!(out, "{name}={value}")?;
    }
    out.flush()?;
    say("running until Ctrl-C; other users of this machine can connect to it meanwhile");
    Ok(())
}
