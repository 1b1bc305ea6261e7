//! What a call costs its process, against the same statement through the bare driver: instructions, counted by callgrind,
//! and allocations. Neither waits, so that noise is small; the server is another process, and not counted.
//!
//! Each figure is the difference between a process that makes many calls and one that makes a few, divided by the calls
//! between: what starts and ends a process is in both.
//!
//! Prints a table, with `--json` a list. With a driver, a layer, a call and a number, makes just those calls, for a
//! profile of them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod calls;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    env,
    error::Error,
    process::{Command, ExitCode},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use calls::{CALLS, LAYERS, Layer};
use serde::Serialize;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FEW: u32 = 20;
const MANY: u32 = 220;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match &arguments[..] {
        [] => table(),
        [json] if json == "--json" => json_list(),
        [driver, layer, call, times] => single(driver, layer, call, times),
        _ => Err("usage: tidb-connect-overhead [--json | <driver> <layer> <call> <times>]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes the calls that callgrind counts, and prints how many allocations they took.
fn single(driver: &str, layer: &str, call: &str, times: &str) -> Result<()> {
    // glibc's calls take longer once a process has had a second thread, which every layer but the bare driver has.
    thread::spawn(|| {}).join().map_err(|_| "a thread has panicked")?;
    calls::make(driver, layer, call, times.parse()?)?;
    println!("{}", ALLOCATIONS.load(Ordering::Relaxed));
    Ok(())
}

fn table() -> Result<()> {
    println!("| driver | call | layer | instructions | ratio | allocations | ratio |\n|---|---|---|---|---|---|---|");
    measure(|Row { driver, call, layer, cost, ratio }| {
        println!(
            "| {driver} | {call} | {layer} | {:.0} | {:.2} | {:.1} | {:.2} |",
            cost.instructions, ratio.instructions, cost.allocations, ratio.allocations,
        );
    })
}

fn json_list() -> Result<()> {
    let mut rows = Vec::new();
    measure(|row| {
        eprintln!("{}, {}, {}", row.driver, row.call, row.layer);
        rows.push(row);
    })?;
    println!("{}", serde_json::to_string_pretty(&rows)?);
    Ok(())
}

/// Measures every call through every layer.
fn measure(mut done: impl FnMut(Row)) -> Result<()> {
    calls::prepare()?;
    for driver in ["sqlx", "mysql", "mysql_async"] {
        for call in CALLS {
            let mut bare = None;
            for layer in LAYERS.iter().filter(|layer| layer.is_of(driver)) {
                let cost = Cost::of(driver, layer, call)?;
                let ratio = cost.over(*bare.get_or_insert(cost));
                done(Row { driver, call, layer: layer.name, cost, ratio });
            }
        }
    }
    Ok(())
}

/// What a call through one layer takes, and as multiples of what it takes through the bare driver.
#[derive(Debug, Serialize)]
struct Row {
    driver: &'static str,
    call: &'static str,
    layer: &'static str,
    #[serde(rename = "per_call")]
    cost: Cost,
    ratio: Cost,
}

/// What one call takes.
#[derive(Clone, Copy, Debug, Serialize)]
struct Cost {
    instructions: f64,
    allocations: f64,
}

impl Cost {
    fn of(driver: &str, layer: &Layer, call: &str) -> Result<Self> {
        let count = |times: u32| -> Result<(f64, f64)> {
            let output = Command::new("valgrind")
                .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
                .arg(env::current_exe()?)
                .args([driver, layer.name, call, &times.to_string()])
                .output()
                .map_err(|error| format!("valgrind cannot be run: install it: {error}"))?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if !output.status.success() {
                return Err(said.into());
            }
            // ==123== Collected : 456
            let instructions = said.lines().find_map(|line| line.split_once("Collected : "));
            let (_, instructions) = instructions.ok_or_else(|| format!("callgrind has counted nothing: {said}"))?;
            let printed = String::from_utf8(output.stdout)?;
            Ok((instructions.trim().parse()?, printed.trim().parse()?))
        };
        let (few, many) = (count(FEW)?, count(MANY)?);
        let each = |few: f64, many: f64| (many - few) / f64::from(MANY - FEW);
        Ok(Self { instructions: each(few.0, many.0), allocations: each(few.1, many.1) })
    }

    fn over(self, bare: Self) -> Self {
        Self { instructions: self.instructions / bare.instructions, allocations: self.allocations / bare.allocations }
    }
}

/// Counts what the process allocates.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe; this one hands everything to the system's")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
