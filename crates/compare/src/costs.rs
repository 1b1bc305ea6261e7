//! What it costs to depend on a driver: measured by compiling a small program with each.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidb_connect_core::{BoxError, Error, ErrorKind, Result};
use tokio::process::Command;

use crate::Driver;

/// The cost of each crate, by its name.
pub type Costs = BTreeMap<String, Cost>;

/// What a program pays for a crate, on the machine of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Crates that are compiled, the program itself not counted.
    pub crates: usize,
    /// Seconds of processor time, of all cores together, for a release build from nothing, once everything has been
    /// downloaded. Rough where the machine had other work.
    pub compile_seconds: f64,
    /// Size of the stripped program, in bytes.
    pub binary_bytes: u64,
    /// The newest `rust-version` that any of the crates asks for.
    pub rust_version: String,
    /// The licences of all of them, as they state them.
    pub licences: Vec<String>,
    /// Lines of the driver's own crates, and of ours, that say `unsafe`, without comments.
    pub unsafe_lines: usize,
}

/// The workspace that the programs depend on by path. Costs can be measured in a checkout only.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

const TOKIO: &str = r#"tokio = { version = "1", features = ["macros", "rt-multi-thread"] }"#;

/// A program that asks a server for a one.
struct Program {
    name: &'static str,
    dependencies: String,
    source: &'static str,
    /// The crates whose `unsafe` is counted.
    own: &'static [&'static str],
}

impl Program {
    /// Through the driver as it comes, with the features that this workspace uses.
    fn as_it_comes(driver: Driver) -> Self {
        let (features, source, own): (&str, &str, &[&str]) = match driver {
            Driver::Sqlx => (
                r#""mysql", "runtime-tokio", "tls-rustls-ring-webpki""#,
                r#"#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = sqlx::MySqlPool::connect(&std::env::var("DATABASE_URL")?).await?;
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await?;
    println!("{one}");
    Ok(())
}
"#,
                &["sqlx", "sqlx-core", "sqlx-mysql"],
            ),
            Driver::Mysql => (
                r#""minimal-rust", "rustls-tls-ring", "buffer-pool""#,
                r#"use mysql::prelude::Queryable;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = mysql::Pool::new(std::env::var("DATABASE_URL")?.as_str())?;
    let one: Option<i32> = pool.get_conn()?.exec_first("SELECT 1", ())?;
    println!("{one:?}");
    Ok(())
}
"#,
                &["mysql", "mysql_common"],
            ),
            Driver::MysqlAsync => (
                r#""minimal-rust", "rustls-tls", "ring", "tls12""#,
                r#"use mysql_async::prelude::Queryable;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = mysql_async::Pool::new(std::env::var("DATABASE_URL")?.as_str());
    let one: Option<i32> = pool.get_conn().await?.exec_first("SELECT 1", ()).await?;
    println!("{one:?}");
    pool.disconnect().await?;
    Ok(())
}
"#,
                &["mysql_async", "mysql_common"],
            ),
        };
        let (name, version) = (driver.name(), driver.version());
        let driver =
            format!(r#"{name} = {{ version = "={version}", default-features = false, features = [{features}] }}"#);
        let dependencies = if source.contains("tokio") { format!("{driver}\n{TOKIO}") } else { driver };
        Self { name, dependencies, source, own }
    }

    /// Through this workspace's crate.
    fn ours(driver: Driver) -> Self {
        let (folder, source, own): (&str, &str, &[&str]) = match driver {
            Driver::Sqlx => (
                "sqlx",
                r#"use tidb_connect_sqlx::{ConnectionConfig, connect, sqlx};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = connect(&ConnectionConfig::from_env()?).await?;
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut pool.get().await?).await?;
    println!("{one}");
    Ok(())
}
"#,
                &["sqlx", "sqlx-core", "sqlx-mysql", "tidb-connect-sqlx", "tidb-connect-core"],
            ),
            Driver::Mysql => (
                "mysql",
                r#"use tidb_connect_mysql::{ConnectionConfig, connect, mysql::prelude::Queryable};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = connect(&ConnectionConfig::from_env()?)?;
    let one: Option<i32> = pool.get()?.exec_first("SELECT 1", ())?;
    println!("{one:?}");
    Ok(())
}
"#,
                &["mysql", "mysql_common", "tidb-connect-mysql", "tidb-connect-core"],
            ),
            Driver::MysqlAsync => (
                "mysql-async",
                r#"use tidb_connect_mysql_async::{ConnectionConfig, connect, mysql_async::prelude::Queryable};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = connect(&ConnectionConfig::from_env()?).await?;
    let one: Option<i32> = pool.get().await?.exec_first("SELECT 1", ()).await?;
    println!("{one:?}");
    Ok(())
}
"#,
                &["mysql_async", "mysql_common", "tidb-connect-mysql-async", "tidb-connect-core"],
            ),
        };
        let name = driver.our_name();
        let ours = format!("{name} = {{ path = \"{WORKSPACE}/crates/{folder}\" }}");
        let dependencies = if source.contains("tokio::main") { format!("{ours}\n{TOKIO}") } else { ours };
        Self { name, dependencies, source, own }
    }
}

/// Compiles a program with each driver, and one with each of this workspace's crates; tells `progress` of each before it
/// begins. Dropped half-way, it stops and leaves nothing behind. Takes minutes.
///
/// # Errors
/// Where there is no cargo, or no checkout of this workspace; when a program does not compile.
pub async fn measure_costs(mut progress: impl FnMut(usize, &'static str)) -> Result<Costs> {
    let programs = Driver::ALL.into_iter().flat_map(|driver| [Program::as_it_comes(driver), Program::ours(driver)]);
    let mut costs = Costs::new();
    for program in programs {
        progress(costs.len(), program.name);
        let cost = measure(&program).await.map_err(|cause| {
            let message = format!(
                "the cost of {} cannot be measured: is cargo here, and a checkout of this workspace?",
                program.name
            );
            Error::new(ErrorKind::Driver, message).with_source(cause)
        })?;
        costs.insert(program.name.to_owned(), cost);
    }
    Ok(costs)
}

/// How many programs [`measure_costs`] compiles.
pub const COST_PROGRAMS: usize = 2 * Driver::ALL.len();

async fn measure(program: &Program) -> std::result::Result<Cost, BoxError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    fs::create_dir(path.join("src"))?;
    fs::write(path.join("src/main.rs"), program.source)?;
    // The same versions of everything as here.
    fs::copy(Path::new(WORKSPACE).join("Cargo.lock"), path.join("Cargo.lock"))?;
    let manifest = format!(
        "[package]\nname = \"program\"\nedition = \"2024\"\n\n[dependencies]\n{}\n\n[profile.release]\nstrip = true\n\n[workspace]\n",
        program.dependencies
    );
    fs::write(path.join("Cargo.toml"), manifest)?;

    let version = output(path, "rustc", ["-vV"]).await?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not tell its host")?;
    let metadata = ["metadata", "--format-version=1", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&output(path, "cargo", metadata).await?)?;
    output(path, "cargo", ["fetch"]).await?;
    // The shell knows how long its children have been at work: `0m0.00s 0m0.00s`, and a line later theirs.
    let times = output(path, "sh", ["-c", "cargo build --release && times"]).await?;
    let times = times.lines().next_back().unwrap_or_default().split_whitespace().map(seconds);
    let compile_seconds = times.sum::<Option<f64>>().ok_or("the shell does not tell the time of its children")?.round();
    let binary_bytes = fs::metadata(path.join("target/release/program"))?.len();

    let nodes = metadata["resolve"]["nodes"].as_array().ok_or("cargo metadata has no graph")?;
    let used: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    let packages = packages
        .iter()
        .filter(|package| package["name"] != "program" && package["id"].as_str().is_some_and(|id| used.contains(id)));
    let text = |package: &Value, key: &str| package[key].as_str().map(ToOwned::to_owned);
    let (mut crates, mut licences, mut rust_version, mut unsafe_lines) = (0, BTreeSet::new(), Vec::new(), 0);
    for package in packages {
        crates += 1;
        licences.extend(text(package, "license").map(|licence| licence.replace('/', " OR ")));
        let wanted = text(package, "rust_version").unwrap_or_default();
        rust_version = rust_version.max(wanted.split('.').filter_map(|part| part.parse::<u32>().ok()).collect());
        let manifest = text(package, "manifest_path").map(PathBuf::from);
        if let (true, Some(manifest)) = (program.own.iter().any(|own| package["name"] == *own), manifest) {
            unsafe_lines += count_unsafe(&manifest.with_file_name("src"))?;
        }
    }
    let rust_version = rust_version.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
    let licences = licences.into_iter().collect();
    Ok(Cost { crates, compile_seconds, binary_bytes, rust_version, licences, unsafe_lines })
}

/// What a program prints; what it says to stderr where it fails.
async fn output(
    folder: &Path,
    program: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> std::result::Result<String, BoxError> {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments).env("CARGO_TARGET_DIR", folder.join("target")).kill_on_drop(true);
    let output = command.output().await?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Reads `1m2.34s`.
fn seconds(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

fn count_unsafe(folder: &Path) -> io::Result<usize> {
    let mut lines = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            lines += count_unsafe(&path)?;
        } else if path.extension() == Some(OsStr::new("rs")) {
            let text = fs::read_to_string(&path)?;
            let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
            lines += code
                .filter(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe"))
                .count();
        }
    }
    Ok(lines)
}
