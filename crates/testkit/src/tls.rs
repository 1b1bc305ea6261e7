//! Checks for how a driver crate connects: TLS and what it refuses, the time it takes, and the secrecy of the password.
//! The same ones for every driver, on servers of their own, which the
//! [playground](tidb_connect_playground::Playground::find) finds and starts.

use std::{
    error::Error as StdError,
    fmt, fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use libtest_mimic::{Arguments, Completion, Trial};
use mysql::{Conn, OptsBuilder, SslOpts, prelude::Queryable};
use tempfile::TempDir;
use tidb_connect_core::{ConnectionConfig, Error, ErrorKind, Outcome, Result as CoreResult, Settings, TlsMode};
use tidb_connect_playground::{Kind, Playground, Server};
use tidb_connect_wire::Proxy;
use tokio::{runtime, time::timeout};

use crate::{
    Failure,
    authority::{Authority, Leaf, Oddity},
    failure::{chain, equal, holds},
};

/// The statement whose second column [`Seen::cipher`] is.
pub const CIPHER: &str = "SHOW STATUS LIKE 'Ssl_cipher'";

/// Opens a pool with its first connection.
pub type Connect = fn(ConnectionConfig) -> BoxFuture<'static, CoreResult<Box<dyn fmt::Debug + Send>>>;

/// Opens everything that a driver crate offers, and asks the server for the [`CIPHER`].
pub type Look = fn(ConnectionConfig) -> BoxFuture<'static, CoreResult<Seen>>;

/// Opens a pool with its first connection, calls the function, and opens a second one.
pub type Twice = fn(ConnectionConfig, Box<dyn FnOnce() + Send>) -> BoxFuture<'static, CoreResult<()>>;

/// What a [`Look`] has found.
#[derive(Debug)]
pub struct Seen {
    /// The cipher of the connection; empty without TLS.
    pub cipher: String,
    /// A pool, a connection, a transaction and a store, as [`shown`].
    pub shown: Vec<String>,
}

/// All that `Debug` shows of a value.
pub fn shown(value: &dyn fmt::Debug) -> String {
    format!("{value:?} {value:#?}")
}

/// Runs the checks for `driver` as a test program.
#[must_use = "return it from `main`, or failures go unseen"]
pub fn run(driver: &'static str, connect: Connect, look: Look, twice: Twice) -> ExitCode {
    // One at a time, because each sets up the servers as it needs them; and none when the tests are only listed.
    let bench = Arc::new(Mutex::new(None));
    let trials = CHECKS.iter().map(|&(name, only_tidb, check)| {
        let bench = Arc::clone(&bench);
        Trial::ignorable_test(format!("{driver}::{name}"), move || {
            let mut bench = bench.lock().unwrap_or_else(PoisonError::into_inner);
            let bench = match &mut *bench {
                Some(bench) => bench,
                none => none.insert(Bench::start(driver, connect, look, twice)?),
            };
            if only_tidb && bench.secure.kind() != Kind::TiDb {
                return Ok(Completion::ignored_with("the server is not TiDB"));
            }
            bench.present(&Leaf::VALID)?;
            let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let ended = runtime.block_on(async { timeout(LIMIT, check(bench)).await });
            runtime.shutdown_timeout(Duration::from_secs(1));
            ended.map_err(|_| Failure::new(format!("the check hangs: no end after {LIMIT:?}")))??;
            Ok(Completion::Completed)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

type Check = for<'a> fn(&'a Bench) -> BoxFuture<'a, Result<(), Failure>>;

/// Name, whether it means something on TiDB only, and the check.
const CHECKS: &[(&str, bool, Check)] = &[
    ("tls_is_verified_by_ca_path", false, |b| Box::pin(verified(b))),
    ("tls_is_1_2_or_1_3_and_hides_the_login", false, |b| Box::pin(hides_the_login(b))),
    ("tls_refuses_an_unknown_authority", false, |b| Box::pin(unknown_authority(b))),
    ("tls_refuses_another_name", false, |b| Box::pin(another_name(b))),
    ("tls_refuses_a_certificate_out_of_its_time", false, |b| Box::pin(out_of_time(b))),
    ("tls_refuses_a_certificate_for_something_else", false, |b| Box::pin(something_else(b))),
    ("tls_reads_a_ca_file_whole_or_refuses_it", false, |b| Box::pin(whole_or_refused(b))),
    ("tls_sees_a_ca_that_was_exchanged", false, |b| Box::pin(exchanged(b))),
    ("tls_is_not_done_without", false, |b| Box::pin(not_offered(b))),
    ("tls_that_the_server_demands_is_named", false, |b| Box::pin(demanded(b))),
    ("tls_that_the_user_needs_is_named", false, |b| Box::pin(demanded_of_the_user(b))),
    ("tls_carries_caching_sha2_password", true, |b| Box::pin(caching_sha2(b))),
    ("tls_is_asked_for_by_caching_sha2_password", true, |b| Box::pin(caching_sha2_in_the_clear(b))),
    ("connecting_is_login_and_one_set", false, |b| Box::pin(login_and_one_set(b))),
    ("connecting_never_stalls", false, |b| Box::pin(never_stalls(b))),
    ("a_password_is_shown_nowhere", false, |b| Box::pin(shown_nowhere(b))),
];

/// A check that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A refusal is no matter of waiting.
const PROMPT: Duration = Duration::from_secs(5);

/// The stall of a missing `TCP_NODELAY` is 40 ms. Other programs can only slow a connection down, so that the fastest
/// of many tells: they are tried for as long as this before none counts as fast.
const STALL: Duration = Duration::from_millis(30);
const TRIED: Duration = Duration::from_secs(20);

/// The password of every account here, searched for in all that is shown and sent.
const CANARY: &str = "canary-4f9d1c";

const USER: &str = "teller";
const TLS_USER: &str = "tls_teller";
const SHA2_USER: &str = "sha2_teller";

/// Two servers, one of which offers TLS.
struct Bench {
    driver: &'static str,
    connect: Connect,
    look: Look,
    twice: Twice,
    authority: Authority,
    secure: Server,
    plain: Server,
    admin: Mutex<Conn>,
    files: TempDir,
}

impl Bench {
    fn start(driver: &'static str, connect: Connect, look: Look, twice: Twice) -> Result<Self, Failure> {
        let broken = |error: &(dyn StdError + 'static)| Failure::caused("the kit cannot start its servers:", error);
        let files = tempfile::tempdir().map_err(|error| broken(&error))?;
        let authority = Authority::new()?;
        let (certificate, key) = authority.issue(files.path(), &Leaf::VALID)?;
        let found = Playground::find().map_err(|error| broken(&error))?;
        let plain = found.start().map_err(|error| broken(&error))?;
        let found = found.with_tls(certificate, key);
        let secure = found.start().map_err(|error| broken(&error))?;
        for server in [&plain, &secure] {
            let mut admin = log_in(server, None).map_err(|error| broken(&error))?;
            let mut account = |user: &str, how: String, needs: &str| {
                admin.query_drop(format!("CREATE USER {user} IDENTIFIED {how} {needs}"))?;
                admin.query_drop(format!("GRANT ALL ON test.* TO {user}"))
            };
            let made = account(USER, format!("BY '{CANARY}'"), "")
                .and_then(|()| account(TLS_USER, format!("BY '{CANARY}'"), "REQUIRE SSL"))
                .and_then(|()| match server.kind() {
                    Kind::TiDb => account(SHA2_USER, format!("WITH caching_sha2_password BY '{CANARY}'"), ""),
                    Kind::MariaDb | Kind::MySql => Ok(()),
                });
            made.map_err(|error| broken(&error))?;
        }
        let ca = authority.write_ca(files.path())?;
        let admin = Mutex::new(log_in(&secure, Some(ca)).map_err(|error| broken(&error))?);
        Ok(Self { driver, connect, look, twice, authority, secure, plain, admin, files })
    }

    /// Runs a statement on the server with TLS, over TLS: TiDB lets nobody else demand it.
    fn admin(&self, statement: &str) -> Result<(), Failure> {
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        admin.query_drop(statement).map_err(|error| Failure::caused("the kit's own statement failed:", &error))
    }

    /// Makes the server with TLS refuse all else, for good.
    fn demand_tls(&self) -> Result<(), Failure> {
        const SETTLED: usize = 10;

        // TiDB takes the value back when it reloads its variables, which it does now and again, as after every SET.
        let mut refused = 0;
        for _ in 0..200 {
            if log_in(&self.secure, None).is_err() {
                refused += 1;
            } else {
                refused = 0;
                self.admin("SET GLOBAL require_secure_transport = ON")?;
            }
            if refused == SETTLED {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(Failure::new("the server does not begin to demand TLS"))
    }

    /// Gives the server another certificate.
    fn present(&self, leaf: &Leaf) -> Result<(), Failure> {
        self.authority.issue(self.files.path(), leaf).map(drop)?;
        self.admin(self.reload())
    }

    fn reload(&self) -> &'static str {
        match self.secure.kind() {
            Kind::MariaDb => "FLUSH SSL",
            Kind::TiDb | Kind::MySql => "ALTER INSTANCE RELOAD TLS",
        }
    }

    /// Writes a CA file.
    fn ca_file(&self, pem: &str) -> Result<PathBuf, Failure> {
        let path = self.files.path().join("other-ca.pem");
        fs::write(&path, pem).map_err(|error| Failure::caused("the kit cannot write a CA file:", &error))?;
        Ok(path)
    }

    /// Verified TLS.
    fn secure(&self, host: &str) -> Result<ConnectionConfig, Failure> {
        Ok(to(host, self.secure.port()).with_ca_path(self.ca_file(&self.authority.pem())?))
    }

    async fn connect(&self, config: &ConnectionConfig) -> CoreResult<Box<dyn fmt::Debug + Send>> {
        (self.connect)(config.clone()).await
    }

    /// For how many answers a connection waits. Nobody else can read what TLS hides, but late answers take their time;
    /// other programs can only add to it, so that it is measured again unless it is as `expected`.
    async fn answers(&self, config: &ConnectionConfig, expected: u128) -> Result<u128, Failure> {
        const LATE: Duration = Duration::from_millis(300);

        let mut fewest = u128::MAX;
        for _ in 0..5 {
            let tap = Tap::open(address(&self.secure), LATE).map_err(no_tap)?;
            let config = config.clone().with_port(tap.port);
            let started = Instant::now();
            self.connect(&config).await?;
            fewest = fewest.min(started.elapsed().as_millis() / LATE.as_millis());
            if fewest == expected {
                break;
            }
        }
        Ok(fewest)
    }

    /// What a connection that must be refused says: the same in every driver.
    async fn refused(&self, config: &ConnectionConfig, kind: ErrorKind, sentence: &str) -> Result<Error, Failure> {
        let started = Instant::now();
        let Err(error) = self.connect(config).await else {
            return Err(Failure::new(format!("no refusal, expected: {sentence}")));
        };
        holds("a refusal takes too long", started.elapsed() < PROMPT)?;
        equal(&format!("the sentence of {error:?}"), error.to_string().as_str(), sentence)?;
        equal("kind", error.kind(), kind)?;
        equal("outcome", error.outcome(), Outcome::Final)?;
        equal("driver", error.driver(), Some(self.driver))?;
        holds("there is no cause below", error.source().is_some())?;
        for error in chain(Some(&error)) {
            keeps_secret("an error", &format!("{error} {}", shown(&error)))?;
        }
        Ok(error)
    }
}

/// The account with the password, at `host`.
fn to(host: &str, port: u16) -> ConnectionConfig {
    ConnectionConfig::new().with_host(host).with_port(port).with_user(USER).with_password(CANARY)
}

fn log_in(server: &Server, ca: Option<PathBuf>) -> mysql::Result<Conn> {
    let tls = ca.map(|ca| SslOpts::default().with_root_cert_path(Some(ca)));
    let options = OptsBuilder::new().ip_or_hostname(Some(server.host())).tcp_port(server.port()).user(Some("root"));
    Conn::new(options.prefer_socket(false).ssl_opts(tls))
}

fn address(server: &Server) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port()).into()
}

fn keeps_secret(what: &str, shown: &str) -> Result<(), Failure> {
    holds(&format!("{what} shows the password: {shown}"), !shown.contains(CANARY))
}

async fn verified(bench: &Bench) -> Result<(), Failure> {
    let other = Authority::new()?;
    let bundle = format!("# two of them\n{}# and\n{}", other.pem(), bench.authority.pem());
    for pem in [bench.authority.pem(), bundle] {
        for host in ["localhost", "127.0.0.1"] {
            let config = bench.secure(host)?.with_ca_path(bench.ca_file(&pem)?);
            let seen = (bench.look)(config).await?;
            holds(&format!("the connection to {host} is not encrypted"), !seen.cipher.is_empty())?;
        }
    }
    // Or else the cipher proves nothing.
    equal("cipher without TLS", (bench.look)(to("localhost", bench.plain.port())).await?.cipher.as_str(), "")
}

async fn hides_the_login(bench: &Bench) -> Result<(), Failure> {
    let tap = Tap::open(address(&bench.secure), Duration::ZERO).map_err(no_tap)?;
    bench.connect(&bench.secure("localhost")?.with_port(tap.port)).await?;
    let sent = tap.close()?;
    holds("the user's name is on the wire", !contains(&sent, USER))?;
    // The request for TLS is a packet of 32 bytes.
    let versions = sent.get(36..).and_then(offered_versions);
    equal("offered versions of TLS", versions, Some(vec![0x0303, 0x0304]))
}

async fn unknown_authority(bench: &Bench) -> Result<(), Failure> {
    let port = bench.secure.port();
    let what = format!("the certificate of localhost:{port} is signed by an authority that is not trusted");
    let other = bench.secure("localhost")?.with_ca_path(bench.ca_file(&Authority::new()?.pem())?);
    let sentence = format!("{what}: CA_PATH must be the CA of this very cluster");
    bench.refused(&other, ErrorKind::Tls, &sentence).await?;
    let none = to("localhost", port).with_tls(TlsMode::Verify);
    let sentence = format!("{what}: set CA_PATH to the server's CA certificate");
    bench.refused(&none, ErrorKind::Tls, &sentence).await.map(drop)
}

async fn another_name(bench: &Bench) -> Result<(), Failure> {
    let port = bench.secure.port();
    for (names, host) in
        [(&["db.example.org"], "localhost"), (&["localhost"], "127.0.0.1"), (&["127.0.0.1"], "localhost")]
    {
        bench.present(&Leaf { names, ..Leaf::VALID })?;
        let sentence =
            format!("the certificate of {host}:{port} is not for '{host}': set TIDB_HOST to a name that it holds");
        bench.refused(&bench.secure(host)?, ErrorKind::Tls, &sentence).await?;
    }
    Ok(())
}

async fn out_of_time(bench: &Bench) -> Result<(), Failure> {
    let port = bench.secure.port();
    for (years, state) in [
        ((2020, 2021), "has expired: renew it, or set this machine's clock if it is wrong"),
        ((2099, 2100), "is not valid yet: set this machine's clock, which seems to be behind"),
    ] {
        bench.present(&Leaf { years, ..Leaf::VALID })?;
        let sentence = format!("the certificate of localhost:{port} {state}");
        bench.refused(&bench.secure("localhost")?, ErrorKind::Tls, &sentence).await?;
    }
    Ok(())
}

async fn something_else(bench: &Bench) -> Result<(), Failure> {
    let server = format!("the certificate of localhost:{}", bench.secure.port());
    for (leaf, sentence) in [
        (
            Leaf { oddity: Some(Oddity::Authority), ..Leaf::VALID },
            "is that of an authority, as `openssl req -x509` makes them: have the server present a certificate of its own \
             that this authority has signed, or make it with `-addext basicConstraints=critical,CA:FALSE`",
        ),
        (
            Leaf { oddity: Some(Oddity::ForClients), ..Leaf::VALID },
            "was not issued for a server: have it issued again with the extended key usage serverAuth",
        ),
        (
            Leaf { names: &[], ..Leaf::VALID },
            "has no subject alternative name, and its common name does not count: have it issued again with the name or \
             address in TIDB_HOST as a subject alternative name",
        ),
    ] {
        bench.present(&leaf)?;
        bench.refused(&bench.secure("localhost")?, ErrorKind::Tls, &format!("{server} {sentence}")).await?;
    }
    Ok(())
}

/// What tools make of two certificates, and of one.
fn forms(first: &str, second: &str) -> Vec<(&'static str, Vec<u8>)> {
    let joined = format!("{}{second}", first.trim_end());
    let crlf = format!("{first}{second}").replace('\n', "\r\n");
    let text = format!("Certificate:\n    Data: of one\n{first}\n\n# and\nsubject=CN = another\n{second}");
    let indented: String = format!("{first}{second}").lines().map(|line| format!("  {line}\n")).collect();
    let renamed = |label: &str| format!("{first}{second}").replace("CERTIFICATE", label).into_bytes();
    let der = second.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    vec![
        ("one after the other", format!("{first}{second}").into_bytes()),
        ("joined without a line between", joined.into_bytes()),
        ("with the lines of Windows", crlf.into_bytes()),
        ("with text", text.into_bytes()),
        ("indented", indented.into_bytes()),
        ("with a byte order mark", format!("\u{feff}{first}{second}").into_bytes()),
        ("with a byte order mark, one", format!("\u{feff}{second}").into_bytes()),
        ("in UTF-16", [0xff, 0xfe].into_iter().chain(second.bytes().flat_map(|byte| [byte, 0])).collect()),
        ("as trusted certificates", renamed("TRUSTED CERTIFICATE")),
        ("as X509 certificates", renamed("X509 CERTIFICATE")),
        ("cut short", format!("{first}{}", &second[..second.len() / 2]).into_bytes()),
        ("without an end", format!("{first}{}", second.replace("-----END CERTIFICATE-----", "")).into_bytes()),
        ("without BEGIN and END", der.into_bytes()),
        ("empty", Vec::new()),
    ]
}

/// Whatever form a CA file has, the certificate that is needed counts wherever it is, or the file is refused.
async fn whole_or_refused(bench: &Bench) -> Result<(), Failure> {
    let (needed, other) = (bench.authority.pem(), Authority::new()?.pem());
    for (place, first, second) in [("first", &needed, &other), ("last", &other, &needed)] {
        for (form, file) in forms(first, second) {
            let path = bench.files.path().join("other-ca.pem");
            fs::write(&path, file).map_err(|error| Failure::caused("the kit cannot write a CA file:", &error))?;
            let config = to("localhost", bench.secure.port()).with_ca_path(path);
            match bench.connect(&config).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Config => {
                    let named = error.to_string().starts_with("CA_PATH names ");
                    holds(&format!("the sentence names the file: {error}"), named)?;
                }
                Err(error) => {
                    let what =
                        format!("a CA file {form}, with the certificate that is needed {place}, is read in part:");
                    return Err(Failure::caused(&what, &error));
                }
            }
        }
    }
    let two = bench.ca_file(&format!("{other}{needed}"))?;
    bench.connect(&to("localhost", bench.secure.port()).with_ca_path(two)).await.map(drop).map_err(Failure::from)
}

/// An open pool takes a CA file and a certificate that are exchanged, as when they are renewed.
async fn exchanged(bench: &Bench) -> Result<(), Failure> {
    let renewed = Authority::new()?;
    let config = bench.secure("localhost")?;
    let files = tempfile::tempdir().map_err(no_tap)?;
    let (certificate, key) = renewed.issue(files.path(), &Leaf::VALID)?;
    let directory = bench.files.path().to_owned();
    let (ca, reload) = (renewed.pem(), bench.reload());
    let mut admin = log_in(&bench.secure, Some(bench.ca_file(&bench.authority.pem())?))
        .map_err(|error| Failure::caused("the kit cannot log in:", &error))?;
    let exchange = move || {
        let copied = fs::copy(certificate, directory.join("certificate.pem"))
            .and_then(|_| fs::copy(key, directory.join("key.pem")))
            .and_then(|_| fs::write(directory.join("other-ca.pem"), ca));
        copied.expect("the kit can write its files");
        admin.query_drop(reload).expect("the server takes another certificate");
    };
    let second = (bench.twice)(config, Box::new(exchange)).await;
    drop(files);
    second.map_err(Failure::from)
}

/// `COM_QUIT` in bytes.
const GOODBYE: u64 = 5;

async fn not_offered(bench: &Bench) -> Result<(), Failure> {
    let proxy = Proxy::start(address(&bench.plain)).map_err(no_tap)?;
    let port = proxy.addr().port();
    // This machine by a name that is not one of the loopback: the password makes TLS a must.
    let elsewhere = to("0.0.0.0", port);
    for config in [bench.secure("localhost")?.with_port(port), elsewhere.clone()] {
        let sentence = format!(
            "{}:{port} offers no TLS: enable it there, or set TIDB_ENABLE_SSL=false to send everything in the clear",
            config.host()
        );
        bench.refused(&config, ErrorKind::Tls, &sentence).await?;
    }
    // Whatever it is called, a login is longer.
    let silent = proxy.report().connections.iter().all(|connection| connection.bytes_up <= GOODBYE);
    holds("more than a goodbye was sent to a server without TLS", silent)?;
    bench.connect(&elsewhere.with_tls(TlsMode::Disabled)).await.map(drop).map_err(Failure::from)
}

/// What a refused password is followed by where it was sent without TLS.
const TLS_IS_OFF: &str = "; TLS is off, and a server or user that demands it refuses in the same way, as does TiDB with \
                          caching_sha2_password: set TIDB_ENABLE_SSL=true";

async fn demanded(bench: &Bench) -> Result<(), Failure> {
    bench.demand_tls()?;
    let port = bench.secure.port();
    let (modes, kind, sentence) = match bench.secure.kind() {
        // It has no error of its own for this.
        Kind::MariaDb => (
            &[TlsMode::Disabled][..],
            ErrorKind::AccessDenied,
            format!(
                "localhost:{port} refused user '{USER}' or the password: check TIDB_USER and TIDB_PASSWORD{TLS_IS_OFF}"
            ),
        ),
        Kind::TiDb | Kind::MySql => (
            &[TlsMode::Automatic, TlsMode::Disabled][..],
            ErrorKind::Tls,
            format!(
                "localhost:{port} accepts only encrypted connections: set TIDB_ENABLE_SSL=true, or CA_PATH to the CA file"
            ),
        ),
    };
    for mode in modes {
        bench.refused(&to("localhost", port).with_tls(*mode), kind, &sentence).await?;
    }
    bench.connect(&bench.secure("localhost")?).await.map(drop).map_err(Failure::from)
}

async fn demanded_of_the_user(bench: &Bench) -> Result<(), Failure> {
    let port = bench.plain.port();
    let sentence = format!(
        "localhost:{port} refused user '{TLS_USER}' or the password: check TIDB_USER and TIDB_PASSWORD{TLS_IS_OFF}"
    );
    let config = to("localhost", port).with_user(TLS_USER).with_tls(TlsMode::Disabled);
    bench.refused(&config, ErrorKind::AccessDenied, &sentence).await?;
    let seen = (bench.look)(bench.secure("localhost")?.with_user(TLS_USER)).await?;
    holds("the user gets in without TLS", !seen.cipher.is_empty())
}

async fn caching_sha2(bench: &Bench) -> Result<(), Failure> {
    let seen = (bench.look)(bench.secure("localhost")?.with_user(SHA2_USER)).await?;
    holds("the connection is not encrypted", !seen.cipher.is_empty())
}

async fn caching_sha2_in_the_clear(bench: &Bench) -> Result<(), Failure> {
    let tap = Tap::open(address(&bench.plain), Duration::ZERO).map_err(no_tap)?;
    let port = tap.port;
    let sentence = format!(
        "localhost:{port} refused user '{SHA2_USER}' or the password: check TIDB_USER and TIDB_PASSWORD{TLS_IS_OFF}"
    );
    // The tap is for one connection.
    let config = to("localhost", port).with_user(SHA2_USER).with_tls(TlsMode::Disabled);
    bench.refused(&config, ErrorKind::AccessDenied, &sentence).await?;
    holds("the password is on the wire", !contains(&tap.close()?, CANARY))
}

async fn login_and_one_set(bench: &Bench) -> Result<(), Failure> {
    let proxy = Proxy::start(address(&bench.plain)).map_err(no_tap)?;
    let pool = bench.connect(&to("localhost", proxy.addr().port())).await?;
    let report = proxy.report();
    drop(pool);
    let commands: Vec<String> = report.connections.iter().flat_map(|c| &c.commands).map(ToString::to_string).collect();
    equal("round trips without TLS", report.round_trips(), 2)?;
    holds(&format!("commands: {commands:?}"), commands.len() == 1 && commands[0].starts_with("COM_QUERY SET"))?;

    // Greeting, server hello, login and SET.
    let config = bench.secure("localhost")?;
    equal("answers waited for with TLS", bench.answers(&config, 4).await?, 4)?;
    if bench.secure.kind() == Kind::TiDb {
        // Two more: TiDB announces another plug-in than the user's, and asks for the password itself.
        let answers = bench.answers(&config.with_user(SHA2_USER), 6).await?;
        equal("answers waited for with TLS and caching_sha2_password", answers, 6)?;
    }
    Ok(())
}

async fn never_stalls(bench: &Bench) -> Result<(), Failure> {
    for config in [to("127.0.0.1", bench.plain.port()), bench.secure("127.0.0.1")?] {
        let (began, mut fastest) = (Instant::now(), Duration::MAX);
        while fastest >= STALL && began.elapsed() < TRIED {
            let started = Instant::now();
            bench.connect(&config).await?;
            fastest = fastest.min(started.elapsed());
        }
        let how = if config.uses_tls() { "with TLS" } else { "without TLS" };
        holds(&format!("the fastest connection {how} took {fastest:?}"), fastest < STALL)?;
    }
    Ok(())
}

async fn shown_nowhere(bench: &Bench) -> Result<(), Failure> {
    let config = bench.secure("localhost")?;
    keeps_secret("the configuration", &format!("{config} {} {}", shown(&config), shown(config.password())))?;
    let url = format!("mysql://{USER}:{CANARY}@localhost:4000/test");
    for (name, value) in [("TIDB_PASSWORD", CANARY), ("DATABASE_URL", url.as_str())] {
        let settings = Settings::new().with_variables(".env", |asked| (asked == name).then(|| value.to_owned()));
        let found = settings.found()?;
        holds("the setting is not found", !found.is_empty())?;
        keeps_secret("the settings", &format!("{} {}", shown(&settings), shown(&found)))?;
    }
    for config in [config, to("127.0.0.1", bench.plain.port())] {
        for shown in (bench.look)(config).await?.shown {
            keeps_secret("the driver crate", &shown)?;
        }
    }
    let port = bench.plain.port();
    let sentence = format!(
        "127.0.0.1:{port} refused user 'nobody' or the password: check TIDB_USER and TIDB_PASSWORD{TLS_IS_OFF}"
    );
    bench.refused(&to("127.0.0.1", port).with_user("nobody"), ErrorKind::AccessDenied, &sentence).await?;
    let sentence = format!(
        "the database 'nowhere' does not exist on 127.0.0.1:{port}, or the user may not use it: check TIDB_DB_NAME"
    );
    let config = to("127.0.0.1", port).with_database("nowhere");
    let Err(error) = bench.connect(&config).await else { return Err(Failure::new("there is no such database")) };
    equal("sentence", error.to_string(), sentence)?;
    Ok(())
}

fn no_tap(error: io::Error) -> Failure {
    Failure::caused("the kit cannot listen on the wire:", &error)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Passes one connection on to a server, and keeps what the client sends.
struct Tap {
    port: u16,
    heard: JoinHandle<io::Result<Vec<u8>>>,
}

impl Tap {
    /// Listens; what the server says comes `late`.
    fn open(server: SocketAddr, late: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let heard = thread::spawn(move || {
            let (mut client, mut server) = (listener.accept()?.0, TcpStream::connect(server)?);
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
            let (queue, queued) = mpsc::channel::<(Instant, Vec<u8>)>();
            thread::spawn(move || {
                listen(&mut answers, |bytes| queue.send((Instant::now() + late, bytes.to_vec())).is_ok())
            });
            thread::spawn(move || {
                for (due, bytes) in queued {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    back.write_all(&bytes)?;
                }
                back.shutdown(Shutdown::Both)
            });
            let mut heard = Vec::new();
            listen(&mut client, |bytes| {
                heard.extend(bytes);
                server.write_all(bytes).is_ok()
            });
            // It fails where the server is gone, which then needs no telling.
            let _ = server.shutdown(Shutdown::Write);
            Ok(heard)
        });
        Ok(Self { port, heard })
    }

    /// What the client sent until it closed the connection.
    fn close(self) -> Result<Vec<u8>, Failure> {
        let heard = self.heard.join().map_err(|_| Failure::new("the tap panicked"))?;
        heard.map_err(no_tap)
    }
}

/// Passes bytes on until there are no more: a reset is an end like any other.
fn listen(from: &mut TcpStream, mut pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..length]) {
            break;
        }
    }
}

/// The versions in a client hello, in ascending order.
fn offered_versions(record: &[u8]) -> Option<Vec<u16>> {
    const SUPPORTED_VERSIONS: u16 = 43;

    /// Cuts off a block whose length stands in its first `size` bytes.
    fn block<'a>(bytes: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
        let (length, rest) = bytes.split_at_checked(size)?;
        let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
        let (block, rest) = rest.split_at_checked(length)?;
        *bytes = rest;
        Some(block)
    }

    // Behind the headers of record and handshake, the oldest version and the random bytes.
    let mut hello = record.get(5 + 4 + 2 + 32..)?;
    let _session = block(&mut hello, 1)?;
    let _ciphers = block(&mut hello, 2)?;
    let _compression = block(&mut hello, 1)?;
    let mut extensions = block(&mut hello, 2)?;
    while let Some((kind, mut rest)) = extensions.split_first_chunk() {
        let mut data = block(&mut rest, 2)?;
        if u16::from_be_bytes(*kind) == SUPPORTED_VERSIONS {
            let versions = block(&mut data, 1)?;
            let mut versions: Vec<u16> =
                versions.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
            versions.sort_unstable();
            return Some(versions);
        }
        extensions = rest;
    }
    None
}
