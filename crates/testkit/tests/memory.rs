//! The in-memory store, and what forwards to it, keep the contract.

use std::process::ExitCode;

use libtest_mimic::Arguments;
use tidb_connect_core::{
    ConnectionConfig,
    players::{MemoryStore, PlayerStore, Traced},
};
use tidb_connect_testkit::Suite;

fn main() -> ExitCode {
    let plain = Suite::in_process("memory", || async { Ok(MemoryStore::new()) });
    let boxed = Suite::in_process("boxed", || async { Ok(Box::new(MemoryStore::new()) as Box<dyn PlayerStore>) });
    let traced =
        Suite::in_process("traced", || async { Ok(Traced::new(MemoryStore::new(), &ConnectionConfig::new())) });
    let trials = [plain, boxed, traced].into_iter().flat_map(Suite::trials).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
