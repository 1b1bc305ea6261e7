//! Which server is found, in made-up environments.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tidb_connect_playground::{Error, Kind, Playground};

/// Directories with fake programs, and the environment that leads to them.
struct World {
    root: TempDir,
    env: HashMap<&'static str, OsString>,
}

impl World {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), env: HashMap::new() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn program(&self, path: &str, output: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\necho '{output}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn with(mut self, name: &'static str, path: &str) -> Self {
        self.env.insert(name, self.path(path).into());
        self
    }

    fn find(&self) -> Result<Playground, Error> {
        Playground::find_with(|name| self.env.get(name).cloned())
    }
}

fn assert_found(world: &World, kind: Kind, path: &Path) {
    let found = world.find().unwrap();
    assert_eq!((found.kind(), found.path()), (kind, path));
}

#[test]
fn the_first_of_the_order_wins() {
    let world = World::new().with("PATH", "bin").with("TIUP_HOME", "tiup");

    let mysqld = world.program("bin/mysqld", "mysqld  Ver 8.4.0 for Linux on x86_64 (MySQL Community Server - GPL)");
    assert_found(&world, Kind::MySql, &mysqld);
    let mariadbd = world.program("bin/mariadbd", "");
    assert_found(&world, Kind::MariaDb, &mariadbd);
    let tiup = world.program("tiup/components/tidb/v8.5.3/tidb-server", "");
    assert_found(&world, Kind::TiDb, &tiup);
    let on_path = world.program("bin/tidb-server", "");
    assert_found(&world, Kind::TiDb, &on_path);
    let named = world.program("mine", "");
    assert_found(&world.with("TIDB_SERVER", "mine"), Kind::TiDb, &named);
}

#[test]
fn mysqld_may_be_mariadb() {
    let world = World::new().with("PATH", "bin");
    let mysqld = world.program("bin/mysqld", "mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64");
    assert_found(&world, Kind::MariaDb, &mysqld);
}

#[test]
fn tiup_versions_compare_as_numbers() {
    let world = World::new().with("HOME", "home");
    for version in ["v8.5.3", "v8.5.10-alpha", "v8.4.12", "nightly"] {
        world.program(&format!("home/.tiup/components/tidb/{version}/tidb-server"), "");
    }
    let newest = world.program("home/.tiup/components/tidb/v8.5.10/tidb-server", "");
    // Being installed: no program yet.
    fs::create_dir_all(world.path("home/.tiup/components/tidb/v9.0.0")).unwrap();
    assert_found(&world, Kind::TiDb, &newest);
}

#[test]
fn a_wrong_tidb_server_is_an_error_and_not_skipped() {
    let world = World::new().with("PATH", "bin").with("TIDB_SERVER", "nothing");
    world.program("bin/mariadbd", "");
    let error = world.find().unwrap_err().to_string();
    assert!(error.contains("TIDB_SERVER") && error.contains("nothing"), "{error}");

    fs::write(world.path("nothing"), "not executable").unwrap();
    assert!(world.find().is_err());
}

#[test]
fn nothing_found_says_how_to_get_a_server() {
    let world = World::new().with("PATH", "bin").with("HOME", "home");
    let error = world.find().unwrap_err().to_string();
    for command in [
        "sudo apt-get install -y mariadb-server-core",
        "brew install mariadb",
        "docker run -d -p 127.0.0.1:4000:4000 pingcap/tidb:v8.5.3",
        "TIDB_HOST=127.0.0.1 TIDB_PORT=4000",
        "curl --proto '=https' --tlsv1.2 -sSf https://tiup-mirrors.pingcap.com/install.sh | sh && tiup install tidb:v8.5.3",
    ] {
        assert!(error.contains(command), "{command} is not in:\n{error}");
    }
}
