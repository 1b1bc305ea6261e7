//! The table in words: `docs/faults.md`.

use std::fmt::Write;

use super::table::{Applied, DIFFERENCES, Expected, Fault, Phase, expected};

/// The matrix as a page of Markdown: what must come of each fault in each phase, where a fault does not apply, and where a
/// driver differs.
#[must_use]
pub fn document() -> String {
    let mut text = INTRODUCTION.to_owned();
    for fault in Fault::ALL {
        line(&mut text, format_args!("| `{}` | {} |", fault.name(), fault.means()));
    }
    for &phase in Phase::ALL {
        let excused = |fault: Fault| match expected(phase, fault) {
            Expected::Excused(reason) => Err((fault, reason)),
            expected => Ok((fault, expected)),
        };
        let (made, excused): (Vec<_>, Vec<_>) = Fault::ALL.iter().map(|&fault| excused(fault)).partition(Result::is_ok);
        line(&mut text, format_args!("\n## `{}`\n", phase.name()));
        line(&mut text, format_args!("Here {}.\n", phase.means()));
        line(&mut text, format_args!("| Fault | What the caller sees | The data |\n|---|---|---|"));
        for (fault, expected) in made.into_iter().flatten() {
            line(&mut text, format_args!("| `{}` | {} |", fault.name(), cells(phase, expected)));
        }
        if !excused.is_empty() {
            line(&mut text, format_args!("\nNot made here:\n"));
        }
        for (fault, reason) in excused.into_iter().filter_map(Result::err) {
            line(&mut text, format_args!("- `{}`: {reason}.", fault.name()));
        }
    }
    text.push_str(ABOUT_DIFFERENCES);
    for it in DIFFERENCES {
        for phase in it.phases {
            let (drivers, cell) = (it.drivers.join("`, `"), format!("{}::{}", phase.name(), it.fault.name()));
            let cells = cells(*phase, it.expected);
            line(&mut text, format_args!("| `{drivers}` | `{cell}` | {cells} | {} |", it.reason));
        }
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}

/// What the caller sees, and what holds for the data.
fn cells(phase: Phase, expected: Expected) -> String {
    match expected {
        Expected::Succeeds if phase.writes() => "success | applied once".to_owned(),
        Expected::Succeeds => "success | nothing to apply".to_owned(),
        Expected::Aborts => "the closure's own error (`Final`) | not applied".to_owned(),
        Expected::Fails(kind, outcome, applied) => {
            let data = match applied {
                Applied::Yes => "applied",
                Applied::No if phase.writes() => "not applied",
                Applied::No => "nothing to apply",
            };
            format!("`{kind:?}`, `{outcome:?}` | {data}")
        }
        Expected::Excused(reason) => format!("— | {reason}"),
    }
}

const INTRODUCTION: &str = "# What becomes of a fault

Written by a test from the table in `crates/testkit/src/faults/table.rs`: do not edit it, run
`TIDB_FAULT_DOCUMENT=write cargo test -p tidb-connect-testkit faults`.

Each line of these tables is a test of every driver: `cargo test -p tidb-connect-sqlx --test faults`. The fault strikes once,
in a proxy before a real server, and these must hold: the kind and the outcome of the error; the time, which is no more
than the limit that the configuration sets; that the pool serves the next calls, with their own answers; and the data, all
of the change or nothing of it. `Retryable` and `Final` promise that nothing was applied; `Unknown` promises nothing, and the
table says what was the case.

An autocommit write or a transaction that meets a conflict is retried, so that the caller does not see the fault. A
transaction is retried after a lost connection as well, but neither after a time-out, since its statement may still run on the
server, nor once a `COMMIT` has left.

| Fault | What happens |
|---|---|
";

const ABOUT_DIFFERENCES: &str = "
## Differences

Where a driver does something else than the others. These lines are tests as well.

| Driver | Cell | What the caller sees | The data | Why |
|---|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use super::*;

    #[test]
    fn the_document_is_what_the_table_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/faults.md");
        if env::var("TIDB_FAULT_DOCUMENT").is_ok_and(|wanted| wanted == "write") {
            fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
            fs::write(&path, document()).expect("it can be written");
        }
        let written = fs::read_to_string(path).expect("docs/faults.md is there");
        assert!(written == document(), "write docs/faults.md anew: TIDB_FAULT_DOCUMENT=write cargo test faults");
    }
}
