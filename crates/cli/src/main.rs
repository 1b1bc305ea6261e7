//! `tidb-connect`: see every Rust MySQL driver run against TiDB.
//!
//! stdout carries results, stderr progress and errors. Exit codes are those of [`failure::Exit`].

mod args;
mod commands;
mod doctor;
mod dotenv;
mod driver;
mod failure;
mod server;
mod signal;

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use args::{Args, Command};
use clap::Parser;
use failure::{Exit, Failure};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let command = Args::parse().command;
    let result = Runtime::new().map_err(|error| Failure::new(Exit::Failed, error)).and_then(|runtime| {
        let result = runtime.block_on(async {
            match command {
                Command::Doctor(args) => commands::doctor::execute(args).await,
                Command::Run(args) => commands::run::execute(args).await,
                Command::Playground(args) => commands::playground::execute(args).await,
            }
        });
        // After Ctrl-C a thread may still wait for a server, one that it starts included: that one dies with us.
        runtime.shutdown_background();
        result
    });
    result.unwrap_or_else(Failure::report)
}

/// Tells the person at the terminal. Who has closed stderr does not want to know.
fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
