//! The program under test, a database of the test's own, and servers that misbehave.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test program uses a part; a panic is how a test fails"
)]

use std::{
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    path::Path,
    process::{self, Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use mysql::{Conn, OptsBuilder, prelude::Queryable};
use tempfile::TempDir;

pub const DRIVERS: [&str; 3] = ["sqlx", "mysql", "mysql_async"];
pub const REFERENCE: &str = include_str!("../expected-output.txt");

/// Longer than anything takes that does not hang: a connect time-out is 20 s, a slow start of a server 60 s.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program in an empty directory, with nothing of this process's environment but where programs are.
pub struct Cli {
    pub dir: TempDir,
    pub command: Command,
}

impl Cli {
    pub fn new<'a>(args: impl IntoIterator<Item = &'a str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The playground's directory goes below this one, so that a test can see that it is gone.
        fs::create_dir(dir.path().join("tmp")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidb-connect"));
        let places = ["PATH", "HOME", "TIDB_SERVER", "TIUP_HOME"];
        let places = places.into_iter().filter_map(|name| Some((name, env::var_os(name)?)));
        command.args(args).current_dir(dir.path()).env_clear().envs(places).env("TMPDIR", dir.path().join("tmp"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { dir, command }
    }

    pub fn run(driver: &str) -> Self {
        Self::new(["run", "--driver", driver])
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn server(self, addr: SocketAddr) -> Self {
        self.env("TIDB_HOST", &addr.ip().to_string()).env("TIDB_PORT", &addr.port().to_string())
    }

    pub fn database(self, database: &Database) -> Self {
        let Server { user, password, .. } = &database.server;
        self.server(database.server.addr())
            .env("TIDB_USER", user)
            .env("TIDB_PASSWORD", password)
            .env("TIDB_DB_NAME", &database.name)
    }

    pub fn dotenv(self, text: &str) -> Self {
        fs::write(self.dir.path().join(".env"), text).unwrap();
        self
    }

    pub fn spawn(mut self) -> Running {
        Running { child: self.command.spawn().unwrap(), dir: self.dir }
    }

    pub fn end(self) -> Ended {
        self.spawn().end()
    }
}

pub struct Running {
    pub child: Child,
    dir: TempDir,
}

impl Running {
    /// `target` is the process, or with a minus before it its group.
    pub fn signal(&self, signal: &str, target: &str) {
        let target = format!("{target}{}", self.child.id());
        let sent = Command::new("/bin/sh").args(["-c", "kill -s $0 -- $1", signal, &target]).status().unwrap();
        assert!(sent.success(), "kill {target}");
    }

    pub fn end(self) -> Ended {
        self.end_within(PATIENCE)
    }

    pub fn end_within(self, limit: Duration) -> Ended {
        let Self { child, dir } = self;
        let pid = child.id();
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(child.wait_with_output().unwrap()));
        let Ok(Output { status, stdout, stderr }) = end.recv_timeout(limit) else {
            let _ = Command::new("/bin/sh").args(["-c", "kill -s KILL $0", &pid.to_string()]).status();
            panic!("the program did not end within {limit:?}");
        };
        let ended = Ended {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
            dir,
        };
        assert!(!ended.stderr.contains("panicked at"), "{}", ended.stderr);
        ended
    }
}

#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    dir: TempDir,
}

impl Ended {
    pub fn first_line(&self) -> &str {
        self.stderr.lines().next().unwrap_or_default()
    }

    /// The line that says what went wrong, wherever the progress before it ends.
    pub fn error(&self) -> &str {
        self.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default()
    }

    #[track_caller]
    pub fn succeeded(&self) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(0), REFERENCE), "{}", self.stderr);
    }

    /// Waits until nothing is left of a playground: after a cut start its guard cleans up by itself.
    pub fn left_no_files(&self) {
        eventually("the playground's directory is gone", || is_empty(&self.dir.path().join("tmp")));
    }
}

pub fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).unwrap().next().is_none()
}

/// For what nobody announces.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The server that the environment names.
pub struct Server {
    host: String,
    port: u16,
    user: String,
    password: String,
}

impl Server {
    fn named() -> Self {
        let named = || Some((env::var("TIDB_HOST").ok()?, env::var("TIDB_PORT").ok()?.parse().ok()?));
        let (host, port) =
            named().expect("no server: set TIDB_HOST and TIDB_PORT, or run `just test`, which starts one");
        let user = env::var("TIDB_USER").unwrap_or_else(|_| "root".into());
        Self { host, port, user, password: env::var("TIDB_PASSWORD").unwrap_or_default() }
    }

    pub fn addr(&self) -> SocketAddr {
        (self.host.as_str(), self.port).to_socket_addrs().unwrap().find(SocketAddr::is_ipv4).unwrap()
    }

    fn connect(&self) -> Conn {
        let options = OptsBuilder::new()
            .ip_or_hostname(Some(&self.host))
            .tcp_port(self.port)
            .user(Some(&self.user))
            .pass(Some(&self.password))
            .prefer_socket(false);
        Conn::new(options).unwrap()
    }
}

/// A database of the test's own, dropped with this.
pub struct Database {
    pub server: Server,
    pub name: String,
    connection: Conn,
}

impl Database {
    pub fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = Server::named();
        let mut connection = server.connect();
        let name = format!("tidb_connect_cli_{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // A process that was killed and had the same id may have left one behind.
        connection.query_drop(format!("DROP DATABASE IF EXISTS {name}")).unwrap();
        connection.query_drop(format!("CREATE DATABASE {name}")).unwrap();
        connection.query_drop(format!("USE {name}")).unwrap();
        Self { server, name, connection }
    }

    /// The first column of every row.
    pub fn sql(&mut self, statement: &str) -> Vec<String> {
        self.connection.query(statement).unwrap()
    }

    pub fn tables(&mut self) -> Vec<String> {
        self.sql("SHOW TABLES")
    }

    /// A user of the same name as the database, who may use it and nothing else.
    pub fn create_user(&mut self, password: &str) -> String {
        let name = self.name.clone();
        self.sql(&format!("CREATE USER {name} IDENTIFIED BY '{password}'"));
        self.sql(&format!("GRANT ALL ON {name}.* TO {name}"));
        name
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The test's own connection may be in the middle of something: another one, and no second panic in a drop.
        let mut connection = self.server.connect();
        let _ = connection.query_drop(format!("DROP USER IF EXISTS {}", self.name));
        let _ = connection.query_drop(format!("DROP DATABASE IF EXISTS {}", self.name));
    }
}

/// What a [`Relay`] does when a client sends what it watches for.
#[derive(Clone, Copy, PartialEq)]
pub enum Then {
    /// The connection stays open, and nothing more goes through it.
    Hold,
    /// The connection ends.
    Cut,
    /// The connection ends, and each later one as soon as it is made.
    Die,
}

/// Stands between the program and the server, and does not pass on what it watches for.
pub struct Relay {
    pub addr: SocketAddr,
    met: Receiver<()>,
}

impl Relay {
    pub fn start(server: &Server, watched: &'static [&'static str], then: Then) -> Self {
        let upstream = server.addr();
        let (meet, met) = mpsc::channel();
        let dead = Arc::new(AtomicBool::new(false));
        let addr = accept(move |client| {
            if dead.load(Ordering::SeqCst) {
                return;
            }
            let server = TcpStream::connect(upstream).unwrap();
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            let (meet, dead) = (meet.clone(), Arc::clone(&dead));
            thread::spawn(move || forward(client, server, watched, then, &meet, &dead));
        });
        Self { addr, met }
    }

    /// Waits until something watched for has come.
    pub fn met(&self) {
        self.met.recv_timeout(PATIENCE).expect("the program sends what is watched for");
    }
}

fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    watched: &[&str],
    then: Then,
    meet: &Sender<()>,
    dead: &AtomicBool,
) {
    let (mut sent, mut buffer) = (Vec::new(), [0; 1 << 14]);
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        sent.extend_from_slice(&buffer[..length]);
        if watched.iter().any(|text| sent.windows(text.len()).any(|part| part == text.as_bytes())) {
            dead.store(then == Then::Die, Ordering::SeqCst);
            let _ = meet.send(());
            if then == Then::Hold {
                // Until the client gives up.
                while let Ok(1..) = client.read(&mut buffer) {}
            }
            break;
        }
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// The address of a server that offers TLS in its greeting, and then knows nothing of it.
pub fn offering_tls(server: &Server) -> SocketAddr {
    let upstream = server.addr();
    accept(move |client| {
        let server = TcpStream::connect(upstream).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        thread::spawn(move || {
            let (mut from, mut to) = (server, client);
            let mut header = [0; 4];
            if from.read_exact(&mut header).is_err() {
                return;
            }
            let mut greeting = vec![0; usize::from(header[0])];
            from.read_exact(&mut greeting).unwrap();
            // Behind the version's end: the connection's id, half of the salt, a zero, and the capabilities.
            let capabilities = greeting.iter().position(|&byte| byte == 0).unwrap() + 14;
            greeting[capabilities + 1] |= 1 << 3;
            let _ = to.write_all(&[&header[..], &greeting].concat());
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    })
}

/// Gives each client of a free port to `serve`, until the test program ends.
fn accept(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(|client| serve(client.unwrap())));
    addr
}

/// An address where nobody listens.
pub fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
