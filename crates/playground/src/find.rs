use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

const NOT_FOUND: &str = "\
found no server to start: TIDB_SERVER is not set, tiup has installed no TiDB, and there is no tidb-server, mariadbd or \
mysqld on the PATH. Any one of these helps:
  Debian   sudo apt-get install -y mariadb-server-core
  macOS    brew install mariadb
  tiup     curl --proto '=https' --tlsv1.2 -sSf https://tiup-mirrors.pingcap.com/install.sh | sh && tiup install tidb:v8.5.3
  Docker   docker run -d -p 127.0.0.1:4000:4000 pingcap/tidb:v8.5.3
           then connect to it with TIDB_HOST=127.0.0.1 TIDB_PORT=4000";

/// Where the packages of Linux distributions put servers; the PATH of an ordinary user often lacks them.
const SERVER_DIRS: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// The database product a server program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// TiDB with its built-in, single-process storage (`unistore`).
    TiDb,
    /// MariaDB.
    MariaDb,
    /// MySQL.
    MySql,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TiDb => "TiDB",
            Self::MariaDb => "MariaDB",
            Self::MySql => "MySQL",
        })
    }
}

/// A server program found on this machine, ready to be started.
#[derive(Debug, Clone)]
pub struct Playground {
    kind: Kind,
    path: PathBuf,
    tls: Option<Tls>,
    durable: bool,
}

/// The PEM files of a server that offers TLS.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Playground {
    /// Finds a server program. The first of these wins:
    ///
    /// 1. the `tidb-server` that the environment variable `TIDB_SERVER` names;
    /// 2. `tidb-server` on the `PATH`;
    /// 3. the newest TiDB that tiup has installed under `TIUP_HOME` (default `~/.tiup`);
    /// 4. `mariadbd` on the `PATH`, in `/usr/sbin` or in `/usr/local/sbin`;
    /// 5. `mysqld` in the same places. It may be MySQL or MariaDB: its `--version` tells.
    ///
    /// # Errors
    ///
    /// If there is none (the error says how to get one), if `TIDB_SERVER` is set but is not an executable file, or if
    /// `mysqld --version` fails.
    pub fn find() -> Result<Self, Error> {
        Self::find_with(|name| {
            let value = env::var_os(name);
            if name != "PATH" {
                return value;
            }
            let path = value.unwrap_or_default();
            let dirs = env::split_paths(&path).chain(SERVER_DIRS.map(PathBuf::from));
            Some(env::join_paths(dirs).unwrap_or_else(|_| path.clone()))
        })
    }

    /// [`find`](Self::find) with another source of environment variables: it looks at nothing but `TIDB_SERVER`,
    /// `PATH`, `TIUP_HOME` and `HOME`.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub fn find_with(env: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        if let Some(path) = env("TIDB_SERVER") {
            let path = PathBuf::from(path);
            if !is_executable(&path) {
                return Err(Error::new(format!("TIDB_SERVER is {path:?}, which is not an executable file")));
            }
            // The server runs in a directory of its own, where a relative path would lead nowhere.
            let path = std::path::absolute(path).map_err(Error::because("cannot make TIDB_SERVER absolute"))?;
            return Ok(Self::new(Kind::TiDb, path));
        }

        let dirs = env("PATH").unwrap_or_default();
        let on_path = |name| {
            env::split_paths(&dirs).filter(|dir| dir.is_absolute()).map(|dir| dir.join(name)).find(|p| is_executable(p))
        };
        let tiup_home = || {
            env("TIUP_HOME").map(PathBuf::from).or_else(|| env("HOME").map(|home| PathBuf::from(home).join(".tiup")))
        };

        if let Some(path) = on_path("tidb-server").or_else(|| newest_of_tiup(&tiup_home()?)) {
            return Ok(Self::new(Kind::TiDb, path));
        }
        if let Some(path) = on_path("mariadbd") {
            return Ok(Self::new(Kind::MariaDb, path));
        }
        if let Some(path) = on_path("mysqld") {
            return Ok(Self::new(kind_of_mysqld(&path)?, path));
        }
        Err(Error::new(NOT_FOUND))
    }

    fn new(kind: Kind, path: PathBuf) -> Self {
        Self { kind, path, tls: None, durable: false }
    }

    /// Starts servers that offer TLS, with this certificate (and what else of its chain is in the file) and its key,
    /// both in PEM form. Without it, TiDB and MariaDB offer none.
    ///
    /// The server follows the paths again when it is told to reload: `ALTER INSTANCE RELOAD TLS`, for MariaDB
    /// `FLUSH SSL`.
    #[must_use]
    pub fn with_tls(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some(Tls { certificate: certificate.into(), key: key.into() });
        self
    }

    /// Starts servers that keep what they have acknowledged when they [are killed and started
    /// again](crate::Server::kill_and_restart). It costs TiDB a second at its start and 260 MB of disk; without it TiDB keeps
    /// its data in memory, and InnoDB could find half a page.
    #[must_use]
    pub fn with_durable_data(mut self) -> Self {
        self.durable = true;
        self
    }

    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.durable
    }

    /// The product that was found.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The absolute path of the server program.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn newest_of_tiup(home: &Path) -> Option<PathBuf> {
    fs::read_dir(home.join("components/tidb"))
        .ok()?
        .flatten()
        .filter_map(|entry| Some((version(&entry.file_name())?, entry.path().join("tidb-server"))))
        .filter(|(_, path)| is_executable(path))
        .max()
        .map(|(_, path)| path)
}

/// The numbers of `v8.5.3`, and whether it is a release: `v8.5.3-alpha` comes before `v8.5.3`.
fn version(name: &OsStr) -> Option<(Vec<u64>, bool)> {
    let name = name.to_str()?.strip_prefix('v')?;
    let (numbers, is_release) = name.split_once('-').map_or((name, true), |(numbers, _)| (numbers, false));
    let numbers = numbers.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    Some((numbers, is_release))
}

/// Debian's `mysqld` is a link to `mariadbd`, so the name says nothing.
fn kind_of_mysqld(path: &Path) -> Result<Kind, Error> {
    let what = format!("cannot tell whether {} is MySQL or MariaDB", path.display());
    let output = match Command::new(path).args(["--no-defaults", "--version"]).output() {
        Ok(output) => output,
        Err(error) => return Err(Error::because(what)(error)),
    };
    if !output.status.success() {
        return Err(Error::new(format!("{what}: its --version failed with {}", output.status)));
    }
    let is_mariadb = String::from_utf8_lossy(&output.stdout).contains("MariaDB");
    Ok(if is_mariadb { Kind::MariaDb } else { Kind::MySql })
}
