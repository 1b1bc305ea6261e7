//! A throw-away server for a command, or in the foreground.

use std::process::{ExitCode, ExitStatus};

use tidb_connect_core::Settings;
use tidb_connect_playground::Server;
use tokio::{process, time};

use crate::{
    args::PlaygroundArgs,
    failure::{Exit, Failure},
    server::start_playground,
    signal::Interruption,
};

/// How long the command may take to end after Ctrl-C before it is killed.
const GRACE: time::Duration = time::Duration::from_secs(10);

pub(crate) async fn execute(args: PlaygroundArgs) -> Result<ExitCode, Failure> {
    let failed = |error| Failure::new(Exit::Failed, error);
    let mut interruption = Interruption::listen().map_err(failed)?;
    let server = tokio::select! {
        server = start_playground() => server?,
        () = interruption.wait() => return Err(Failure::interrupted()),
    };
    let code = match args.command.split_first() {
        Some((program, arguments)) => {
            let mut command = process::Command::new(program);
            command.args(arguments).kill_on_drop(true);
            run(command, &server, &mut interruption).await.map_err(|error| {
                let program = program.to_string_lossy();
                Failure::new(Exit::Failed, error).with_note(format!("the command was {program}"))
            })?
        }
        None => {
            show(&server);
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
) -> std::io::Result<ExitCode> {
    for variable in Settings::variables() {
        command.env_remove(variable);
    }
    let mut child = command.envs(server.env()).spawn()?;
    let status = tokio::select! {
        status = child.wait() => status?,
        () = interruption.wait() => {
            // The terminal's Ctrl-C has reached the command as well.
            match time::timeout(GRACE, child.wait()).await {
                Ok(_) => {}
                Err(_) => child.kill().await?,
            }
            return Ok(ExitCode::from(Exit::Interrupted as u8));
        }
    };
    Ok(code(status))
}

/// The command's own exit code; 1 when a signal ended it.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(Exit::Failed as u8))
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "stdout carries the .env lines")]
fn show(server: &Server) {
    for (name, value) in server.env() {
        println!("{name}={value}");
    }
    eprintln!("running until Ctrl-C; other users of this machine can connect to it meanwhile");
}
