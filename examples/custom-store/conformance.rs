//! The store keeps the contract.

use std::process::ExitCode;

use counted::Counted;
use tidb_connect_core::players::MemoryStore;
use tidb_connect_testkit::Suite;

fn main() -> ExitCode {
    Suite::in_process("counted", || async { Ok(Counted::new(MemoryStore::new())) }).run()
}
