//! `tidb-connect`: see every Rust MySQL driver run against TiDB.
//!
//! stdout carries results, stderr progress and errors. Exit codes are those of [`failure::Exit`].

mod args;
mod commands;
mod dotenv;
mod driver;
mod failure;
mod server;
mod signal;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser;
use failure::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Run(args) => commands::run::execute(args).await,
        Command::Playground(args) => commands::playground::execute(args).await,
    };
    result.unwrap_or_else(|failure: Failure| failure.report())
}
