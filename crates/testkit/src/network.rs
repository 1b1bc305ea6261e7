//! Checks with the kernel's own network: a route that goes away after `COMMIT` has left. The same ones for every driver.
//!
//! Client and server each get a network namespace of their own, with a cable between them. That takes Linux and root, and
//! leaves nothing behind, however the test program ends: a namespace lives as long as a process that waits for its end.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use libtest_mimic::{Arguments, Completion, Trial};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tidb_connect_core::{ConnectionConfig, TlsMode, TransactionError, TransactionOptions};
use tokio::{runtime, time::timeout};

use crate::{
    Failure, Server,
    failure::equal,
    transaction::{Ended, Runner, Step},
};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// What takes longer hangs. The kernel's three retries take some seconds.
const HANGS: Duration = Duration::from_secs(120);

/// A limit of the driver's that must not pass before the kernel's.
const NEVER: Duration = Duration::from_secs(600);

/// How the network fails once `COMMIT` has left: the kernel of the client reports each as another error.
const LOSSES: &[(&str, &[&str])] = &[
    ("a_silent_network_after_commit_is_unknown", &[]),
    ("a_route_that_goes_away_after_commit_is_unknown", &["route", "flush", "table", "main"]),
    ("an_address_that_goes_away_after_commit_is_unknown", &["address", "flush", "dev", "cable"]),
    ("an_unreachable_route_after_commit_is_unknown", &["route", "replace", "unreachable", "10.77.0.2/32"]),
];

/// Runs the checks for `driver` as a test program; the server must be named by the environment.
///
/// `transaction` runs the steps in the pool's `transaction`.
#[must_use = "return it from `main`, or failures go unseen"]
pub fn run(driver: &'static str, transaction: Runner) -> ExitCode {
    let trials = LOSSES.iter().map(|&(name, loss)| {
        Trial::ignorable_test(format!("{driver}::{name}"), move || {
            let network = match Network::lay() {
                Ok(network) => network,
                Err(why) => return Ok(Completion::ignored_with(format!("this needs root and `ip`: {why}"))),
            };
            let server = Server::create_for(driver)?;
            unknown_after(&server, &network, transaction, loss)?;
            server.remove()?;
            Ok(Completion::Completed)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Loses the network while `COMMIT` is on its way, by what `ip` does to the client.
fn unknown_after(
    server: &Server,
    network: &Network,
    transaction: Runner,
    loss: &'static [&str],
) -> Result<(), Failure> {
    server.sql("CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL)")?;
    server.sql("INSERT INTO accounts VALUES (1, 10)")?;
    let broken = |error| Failure::caused("the kit cannot relay:", &error);
    let listener = network.server.enter(|| TcpListener::bind((SERVER, 0))).and_then(|bound| bound).map_err(broken)?;
    let port = listener.local_addr().map_err(broken)?.port();
    let upstream = server.address()?;
    let commits = Arc::new(AtomicU32::new(0));
    let (counted, client) = (Arc::clone(&commits), network.client.clone());
    // It ends with the last connection's client, or with the test program.
    thread::spawn(move || relay(&listener, upstream, &counted, &move || client.ip(loss)));

    // Before COMMIT leaves, what the server's machine sends stops arriving, its kernel's acknowledgement included.
    let mute = network.server.clone();
    let steps: Arc<[Step]> = [
        Step::Run("UPDATE accounts SET balance = balance + 1 WHERE id = 1"),
        Step::Meanwhile(Arc::new(move || {
            mute.ip(&["route", "replace", "blackhole", "10.77.0.1/32"]).expect("a route")
        })),
    ]
    .into();
    let config = server.config().clone().with_host(SERVER.to_string()).with_port(port).with_tls(TlsMode::Disabled);
    let config = config.with_operation_timeout(NEVER);
    let ended = network.client.enter(move || transact(transaction, config, steps));
    let ended = ended.and_then(|ended| ended).map_err(|error| Failure::caused("the kit has no runtime:", &error))?;
    match ended {
        Some(Err(TransactionError::Unknown(_))) => {}
        other => return Err(Failure::new(format!("whether it was committed must be unknown, came {other:?}"))),
    }
    equal("COMMITs", commits.load(Ordering::SeqCst), 1)?;
    equal("balances", server.sql("SELECT balance FROM accounts")?, vec!["11"])
}

/// Sockets, and the threads of the runtime, belong to the namespace of the calling thread.
fn transact(transaction: Runner, config: ConnectionConfig, steps: Arc<[Step]>) -> io::Result<Option<Ended>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let ended =
        runtime.block_on(async { timeout(HANGS, transaction(config, TransactionOptions::new(), steps)).await.ok() });
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(ended)
}

/// Passes on what clients and the server say, and loses the network before a `COMMIT` reaches the server.
fn relay(
    listener: &TcpListener,
    upstream: SocketAddr,
    commits: &Arc<AtomicU32>,
    lose: &(impl Fn() -> io::Result<()> + Clone + Send + 'static),
) -> io::Result<()> {
    for client in listener.incoming() {
        let (client, server) = (client?, TcpStream::connect(upstream)?);
        let (mut answers, mut answered) = (server.try_clone()?, client.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut answers, &mut answered);
            let _ = answered.shutdown(Shutdown::Both);
        });
        let (commits, lose) = (Arc::clone(commits), lose.clone());
        thread::spawn(move || {
            let (mut from, mut to, mut buffer) = (client, server, [0; 1 << 12]);
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                if buffer[..read].ends_with(b"COMMIT") {
                    commits.fetch_add(1, Ordering::SeqCst);
                    lose().expect("ip does what it did before");
                }
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

/// Two namespaces with a cable between them. The client's kernel gives up after three retries.
struct Network {
    client: Namespace,
    server: Namespace,
}

impl Network {
    fn lay() -> io::Result<Self> {
        let (client, server) = (Namespace::new()?, Namespace::new()?);
        let (peer, len) = (server.process().to_string(), "/24");
        client.ip(&["link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", &peer])?;
        for (namespace, address) in [(&client, CLIENT), (&server, SERVER)] {
            namespace.ip(&["address", "add", &format!("{address}{len}"), "dev", "cable"])?;
            namespace.ip(&["link", "set", "cable", "up"])?;
            namespace.ip(&["link", "set", "lo", "up"])?;
        }
        client.enter(|| fs::write("/proc/sys/net/ipv4/tcp_retries2", "3"))??;
        Ok(Self { client, server })
    }
}

/// A network namespace, which ends with its last clone.
#[derive(Clone)]
struct Namespace(Arc<Keeper>);

/// A process in the namespace that ends with its input.
struct Keeper(Child);

impl Namespace {
    fn new() -> io::Result<Self> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "sh", "-c", "echo ready; exec cat"]);
        let mut keeper = Keeper(unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
        let mut said = String::new();
        if let Some(stdout) = &mut keeper.0.stdout {
            BufReader::new(stdout).read_line(&mut said)?;
        }
        if said.is_empty() {
            let mut why = String::new();
            keeper.0.stderr.take().map(|mut stderr| stderr.read_to_string(&mut why)).transpose()?;
            return Err(io::Error::other(why.trim().to_owned()));
        }
        Ok(Self(Arc::new(keeper)))
    }

    fn process(&self) -> u32 {
        self.0.0.id()
    }

    fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.process()).into()
    }

    /// Runs `work` on a thread in the namespace.
    fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let (done, result) = mpsc::channel();
            scope.spawn(move || {
                let entered = File::open(self.path()).and_then(|namespace| {
                    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
                });
                let _ = done.send(entered.map(|()| work()));
            });
            result.recv().unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace panicked")))
        })
    }

    /// Runs `ip` in the namespace; nothing without arguments.
    fn ip(&self, args: &[&str]) -> io::Result<()> {
        if args.is_empty() {
            return Ok(());
        }
        let output = self.enter(|| Command::new("ip").args(args).output())??;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(io::Error::other(format!("ip {args:?}: {said}"))) }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
