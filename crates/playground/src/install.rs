//! How each product is told to live in one directory: its files before the first start, and its arguments.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::{Error, Kind, Playground};

/// What one run of a server program needs.
pub(crate) struct Run {
    pub(crate) args: Vec<OsString>,
    /// A file to read as stdin.
    pub(crate) stdin: Option<PathBuf>,
}

/// The run that creates the data, for the products that need one, after writing the files that `dir` must have.
pub(crate) fn install(playground: &Playground, dir: &Path) -> Result<Option<Run>, Error> {
    let tls = playground.tls();
    let failed = || Error::because(format!("cannot prepare {}", dir.display()));
    fs::create_dir(dir.join("tmp")).map_err(failed())?;
    if let Some(tls) = tls {
        link(&tls.certificate, &dir.join(CERTIFICATE))?;
        link(&tls.key, &dir.join(KEY))?;
    }
    match playground.kind() {
        Kind::TiDb => {
            let security = tls.map(|_| format!("\n[security]\nssl-cert = \"{CERTIFICATE}\"\nssl-key = \"{KEY}\"\n"));
            let config = format!("{TIDB_CONFIG}{}", security.unwrap_or_default());
            fs::write(dir.join("tidb.toml"), config).map_err(failed())?;
            Ok(None)
        }
        Kind::MariaDb => {
            fs::create_dir(dir.join(DATA)).map_err(failed())?;
            let sql = dir.join("install.sql");
            write_system_tables(playground.path(), &sql)?;
            let mut args = mysql_args(playground, dir).map_err(failed())?;
            args.push("--bootstrap".into());
            Ok(Some(Run { args, stdin: Some(sql) }))
        }
        Kind::MySql => {
            let sql = dir.join("install.sql");
            fs::write(&sql, CREATE_TEST).map_err(failed())?;
            let mut args = mysql_args(playground, dir).map_err(failed())?;
            args.extend(["--initialize-insecure".into(), option("--init-file", &sql)]);
            Ok(Some(Run { args, stdin: None }))
        }
    }
}

/// Makes `file` known under a name of ours, which needs no quoting in a configuration file. A link and not a copy, so
/// that a server told to reload finds what is there by then.
fn link(file: &Path, name: &Path) -> Result<(), Error> {
    let linked = file.canonicalize().and_then(|file| symlink(file, name));
    linked.map_err(Error::because(format!("cannot use {} for TLS", file.display())))
}

/// The run that serves on `port` of 127.0.0.1.
pub(crate) fn serve(playground: &Playground, dir: &Path, port: u16) -> Result<Run, Error> {
    let kind = playground.kind();
    let args = match kind {
        Kind::TiDb => {
            let mut args = vec!["-config".into(), "tidb.toml".into(), "-P".into(), port.to_string().into()];
            if playground.is_durable() {
                // Files keep what was acknowledged over SIGKILL, as measured on v8.5.3. A relative path would be none.
                args.extend(["-path".into(), dir.join(DATA).into_os_string()]);
            }
            args
        }
        Kind::MariaDb | Kind::MySql => {
            let mut args =
                mysql_args(playground, dir).map_err(Error::because(format!("cannot look at {}", dir.display())))?;
            args.extend([
                "--bind-address=127.0.0.1".into(),
                format!("--port={port}").into(),
                // None: the limit of about 100 bytes for its path is shorter than some temporary directories.
                "--socket=".into(),
                "--max-connections=500".into(),
            ]);
            if playground.tls().is_some() {
                args.extend([option("--ssl-cert", &dir.join(CERTIFICATE)), option("--ssl-key", &dir.join(KEY))]);
            } else if kind == Kind::MariaDb {
                // MariaDB 11.4 and later would make themselves a certificate.
                args.push("--skip-ssl".into());
            }
            args
        }
    };
    Ok(Run { args, stdin: None })
}

/// What the server logs once its port is its own. A greeting alone proves nothing: it may come from another server
/// that has taken the port.
pub(crate) fn ready_mark(kind: Kind) -> &'static str {
    match kind {
        Kind::TiDb => "server is running MySQL protocol",
        Kind::MariaDb | Kind::MySql => "ready for connections",
    }
}

const DATA: &str = "data";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// An empty `path` keeps the data in memory (and in TMPDIR): 1 s faster and 90 MB smaller than files. Relative paths
/// start at the working directory, which is ours.
const TIDB_CONFIG: &str = r#"
host = "127.0.0.1"
store = "unistore"
path = ""
socket = ""
temp-dir = "tmp"
tmp-storage-path = "tmp"
enable-telemetry = false

[status]
report-status = false
"#;

const CREATE_TEST: &str = "CREATE DATABASE test;\n";

/// The options of MariaDB and MySQL for both runs. `loose` ones are unknown to some versions.
fn mysql_args(playground: &Playground, dir: &Path) -> io::Result<Vec<OsString>> {
    let tmp = dir.join("tmp");
    let mut args: Vec<OsString> = vec![
        "--no-defaults".into(),
        option("--datadir", &dir.join(DATA)),
        option("--tmpdir", &tmp),
        // Some packages compile in a directory that only they create, and the server refuses to start without it.
        option("--secure-file-priv", &tmp),
        "--skip-log-bin".into(),
        "--performance-schema=OFF".into(),
        "--innodb-buffer-pool-size=16M".into(),
        "--loose-innodb-log-file-size=4M".into(),
        "--key-buffer-size=1M".into(),
        "--table-open-cache=400".into(),
        // The data need not survive the machine, only the process: nothing waits for the disk.
        "--innodb-flush-log-at-trx-commit=2".into(),
        "--loose-innodb-flush-method=nosync".into(),
    ];
    if !playground.is_durable() {
        // A kill can come between two halves of a page; nobody reads it afterwards.
        args.push("--innodb-doublewrite=0".into());
    }
    match playground.kind() {
        Kind::MariaDb => args.extend([
            "--loose-debug-no-sync".into(), // for Aria, which holds the system tables
            "--loose-aria-pagecache-buffer-size=8M".into(),
        ]),
        // A second protocol, on a port and a socket of its own.
        Kind::MySql => args.push("--loose-mysqlx=OFF".into()),
        Kind::TiDb => {}
    }
    // Both refuse to run as root unless told so by name.
    if fs::metadata(dir)?.uid() == 0 {
        args.push("--user=root".into());
    }
    Ok(args)
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push("=");
    option.push(path);
    option
}

/// Writes what `mariadb-install-db` would feed to the server, less the help texts and the `sys` schema, which take
/// most of its time, and less the anonymous user.
fn write_system_tables(program: &Path, sql: &Path) -> Result<(), Error> {
    let share = share_dir(program)?;
    let write = || -> io::Result<()> {
        let mut file = File::create(sql)?;
        // The bootstrap reads a statement per line. NULL: root logs in with an empty password, not by its Unix name.
        io::copy(&mut "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n".as_bytes(), &mut file)?;
        for part in ["system_tables", "performance_tables", "system_tables_data"] {
            io::copy(&mut File::open(script(&share, part))?, &mut file)?;
        }
        io::copy(&mut CREATE_TEST.as_bytes(), &mut file).map(drop)
    };
    write().map_err(Error::because(format!("cannot copy MariaDB's system tables from {}", share.display())))
}

/// The directory of MariaDB's SQL scripts: Debian and Homebrew have `share/mysql`, Fedora `share/mariadb`, and the
/// archives of mariadb.org `share`, all beside the program's own directory.
fn share_dir(program: &Path) -> Result<PathBuf, Error> {
    let program = program
        .canonicalize()
        .map_err(Error::because(format!("cannot follow the path of MariaDB at {}", program.display())))?;
    let prefix = program.ancestors().nth(2).unwrap_or(&program);
    ["share/mysql", "share/mariadb", "share"]
        .map(|dir| prefix.join(dir))
        .into_iter()
        .find(|dir| script(dir, "system_tables").is_file())
        .ok_or_else(|| {
            Error::new(format!(
                "MariaDB at {} lacks mysql_system_tables.sql: it is in none of share/mysql, share/mariadb and share \
                 under {}",
                program.display(),
                prefix.display()
            ))
        })
}

/// `mariadb_NAME.sql`, or `mysql_NAME.sql` as MariaDB called it until version 11.
fn script(share: &Path, name: &str) -> PathBuf {
    let path = share.join(format!("mariadb_{name}.sql"));
    if path.is_file() { path } else { share.join(format!("mysql_{name}.sql")) }
}
