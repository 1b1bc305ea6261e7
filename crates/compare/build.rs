//! Tells the crate which versions of the drivers it is built with: only the lock file knows.

use std::{env, error::Error, fs, path::Path};

const DRIVERS: [&str; 3] = ["sqlx", "mysql", "mysql_async"];

fn main() -> Result<(), Box<dyn Error>> {
    let package = env::var("CARGO_MANIFEST_DIR")?;
    // The package's own where it comes from a registry, else the workspace's.
    let lock = Path::new(&package).ancestors().map(|folder| folder.join("Cargo.lock")).find(|path| path.exists());
    let lock = lock.ok_or("there is no Cargo.lock, in which the versions of the drivers stand")?;
    println!("cargo::rerun-if-changed={}", lock.display());
    let text = fs::read_to_string(lock)?;
    for driver in DRIVERS {
        let name = format!("name = \"{driver}\"\nversion = \"");
        let (_, rest) = text.split_once(&name).ok_or_else(|| format!("Cargo.lock has no {driver}"))?;
        let (version, _) = rest.split_once('"').ok_or("Cargo.lock is cut short")?;
        println!("cargo::rustc-env=VERSION_OF_{}={version}", driver.to_uppercase());
    }
    Ok(())
}
