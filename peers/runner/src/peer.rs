//! Who takes part, and what makes its program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// One that takes part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) made_with: Toolchain,
    /// Which of a program's ways to connect.
    variant: Option<&'static str>,
}

/// What makes a program from its sources and registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    Cargo { package: &'static str },
    Go,
    Npm,
    Pip,
}

use Toolchain::{Cargo, Go, Npm, Pip};

const OURS: Toolchain = Cargo { package: "peer-tidb-connect" };
const BARE: Toolchain = Cargo { package: "peer-bare" };

/// All, in the order in which they take turns.
pub(crate) const PEERS: &[Peer] = &[
    Peer { name: "tidb-connect-sqlx", made_with: OURS, variant: Some("sqlx") },
    Peer { name: "tidb-connect-mysql", made_with: OURS, variant: Some("mysql") },
    Peer { name: "tidb-connect-mysql-async", made_with: OURS, variant: Some("mysql_async") },
    Peer { name: "sqlx", made_with: BARE, variant: Some("sqlx") },
    Peer { name: "sqlx-defaults", made_with: BARE, variant: Some("sqlx-defaults") },
    Peer { name: "mysql", made_with: BARE, variant: Some("mysql") },
    Peer { name: "mysql-defaults", made_with: BARE, variant: Some("mysql-defaults") },
    Peer { name: "mysql_async", made_with: BARE, variant: Some("mysql_async") },
    Peer { name: "mysql_async-defaults", made_with: BARE, variant: Some("mysql_async-defaults") },
    Peer { name: "sea-orm", made_with: Cargo { package: "peer-sea-orm" }, variant: None },
    Peer { name: "diesel-async", made_with: Cargo { package: "peer-diesel" }, variant: None },
    Peer { name: "sqlalchemy", made_with: Pip, variant: None },
    Peer { name: "go", made_with: Go, variant: Some("prepare") },
    Peer { name: "go-interpolate", made_with: Go, variant: Some("interpolate") },
    Peer { name: "mysql2", made_with: Npm, variant: None },
];

impl Peer {
    /// Its program; the size of the pool has to follow.
    pub(crate) fn command(&self) -> Command {
        let made = made();
        let mut command = match self.made_with {
            Cargo { package } => Command::new(made.join("release").join(package)),
            Go => Command::new(made.join("go/peer")),
            Npm => Command::new("node"),
            Pip => Command::new(made.join("python/bin/python")),
        };
        match self.made_with {
            Npm => command.arg(root().join("node/peer.js")),
            Pip => command.arg(root().join("python/peer.py")),
            Cargo { .. } | Go => command.args(self.variant),
        };
        command
    }
}

impl Toolchain {
    /// What it is called where it is at work.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Cargo { package } => package,
            Go => "go build",
            Npm => "npm ci",
            Pip => "pip install",
        }
    }

    /// Makes the program, or says why that cannot be. Nothing is written outside of `peers`, but for cargo's own cache.
    pub(crate) fn make(self) -> Result<(), String> {
        let made = made();
        fs::create_dir_all(&made).map_err(|error| format!("{}: {error}", made.display()))?;
        match self {
            Cargo { package } => {
                let mut cargo = Command::new("cargo");
                cargo.args(["build", "--quiet", "--release", "--locked", "--package", package, "--target-dir"]);
                finish(cargo.arg(&made).current_dir(root()))
            }
            Go => {
                let mut go = Command::new("go");
                go.env("GOCACHE", made.join("go/cache"));
                // Without the flag the modules could not be removed as other files.
                go.env("GOMODCACHE", made.join("go/modules")).env("GOFLAGS", "-modcacherw -buildvcs=false");
                finish(go.args(["build", "-o"]).arg(made.join("go/peer")).current_dir(root().join("go")))
            }
            Npm => {
                let mut npm = Command::new("npm");
                npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--cache"]);
                finish(npm.arg(made.join("npm")).current_dir(root().join("node")))
            }
            Pip => {
                finish(Command::new("python3").args(["-m", "venv"]).arg(made.join("python")))?;
                let mut pip = Command::new(made.join("python/bin/python"));
                pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--cache-dir"]);
                finish(pip.arg(made.join("pip")).arg("--requirement").arg(root().join("python/requirements.txt")))
            }
        }
    }
}

/// The folder `peers`.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn made() -> PathBuf {
    root().join("target")
}

/// Runs a command; its last words are the reason when it fails.
fn finish(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let said = Vec::from_iter(errors.lines().map(str::trim).filter(|line| !line.is_empty()));
    let last = said[said.len().saturating_sub(3)..].join(" / ");
    Err(format!("{program}: {}: {last}", output.status))
}
