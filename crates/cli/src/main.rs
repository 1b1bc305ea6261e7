//! `tidb-connect`: see every Rust MySQL driver run against TiDB.
//!
//! stdout carries results, stderr progress and errors. Exit codes are those of [`failure::Exit`].

mod args;
mod commands;
mod doctor;
mod dotenv;
mod driver;
mod failure;
mod scratch;
mod server;
mod signal;

use std::{
    fmt::Display,
    io::{self, Write},
    panic,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use args::{Args, Command};
use clap::Parser;
use failure::{Exit, Failure};
use tidb_connect_bench::Counting;
use tokio::runtime::Runtime;

/// `bench` tells what each driver holds of the heap.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the last panic said.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn main() -> ExitCode {
    // A driver's panic is caught by its crate and becomes an error. Only what nobody catches is shown.
    panic::set_hook(Box::new(|panic| *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string()));
    panic::catch_unwind(run).unwrap_or_else(|_| {
        let said = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        say(format_args!("error: this is a bug in tidb-connect, please report it: {said}"));
        ExitCode::from(Exit::Failed as u8)
    })
}

fn run() -> ExitCode {
    let command = Args::parse().command;
    let result = Runtime::new().map_err(Failure::failed).and_then(|runtime| {
        let result = runtime.block_on(async {
            match command {
                Command::Bench(args) => commands::bench::execute(args).await,
                Command::Compare(args) => commands::compare::execute(args).await,
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
