//! Where the server is and how to reach it.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::pool::PoolPolicy;
use crate::{Error, ErrorKind, Result};

/// Everything a driver needs to connect: the server, the user, TLS, time-outs and the pool.
///
/// Made with [`new`](Self::new) and the `with_*` setters, or from the environment. Setters do not
/// fail; [`validate`](Self::validate), which every `connect` calls, reports what is wrong.
///
/// Neither `Debug` nor `Display` shows the password.
///
/// ```
/// use tidb_connect_core::{ConnectionConfig, TlsMode};
///
/// let config = ConnectionConfig::new()
///     .with_host("gateway01.eu-central-1.prod.aws.tidbcloud.com")
///     .with_user("3pTAoNNegb47Uc8.root")
///     .with_password("secret");
/// assert!(config.uses_tls(), "TiDB Cloud gets TLS unasked");
/// assert_eq!(config.to_string(), "3pTAoNNegb47Uc8.root@gateway01.eu-central-1.prod.aws.tidbcloud.com:4000/test");
/// assert!(!format!("{config:?}").contains("secret"));
/// # assert_eq!(ConnectionConfig::new().tls(), TlsMode::Automatic);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionConfig {
    host: String,
    port: u16,
    user: String,
    password: Password,
    database: String,
    tls: TlsMode,
    ca_path: Option<PathBuf>,
    deployment: Option<Deployment>,
    connect_timeout: Duration,
    operation_timeout: Duration,
    pool: PoolPolicy,
}

/// Whether the connection is encrypted. There is no mode that encrypts without verifying.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Verified TLS for TiDB Cloud, when a CA is given, and for a password on its way to another machine;
    /// none otherwise.
    #[default]
    Automatic,
    /// Always: the certificate must be signed by a Mozilla root or by [`ca_path`](ConnectionConfig::ca_path), and name the host.
    Verify,
    /// Never, even where the password then travels in the clear.
    Disabled,
}

/// Where TiDB runs.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// TiDB Cloud Starter or Essential: `*.tidbcloud.com`.
    Starter,
    /// TiDB Cloud Dedicated: `*.tidb-cloud.com`.
    Dedicated,
    /// Anywhere else.
    SelfManaged,
}

impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starter => "TiDB Cloud Starter/Essential",
            Self::Dedicated => "TiDB Cloud Dedicated",
            Self::SelfManaged => "self-managed",
        })
    }
}

/// A password that shows itself only to [`expose`](Self::expose).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password itself, for a driver's options.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: Into<String>> From<S> for Password {
    fn from(password: S) -> Self {
        Self(password.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "***" })
    }
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 4000,
            user: "root".into(),
            password: Password::default(),
            database: "test".into(),
            tls: TlsMode::default(),
            ca_path: None,
            deployment: None,
            connect_timeout: Duration::from_secs(20),
            operation_timeout: Duration::from_secs(60),
            pool: PoolPolicy::default(),
        }
    }
}

impl ConnectionConfig {
    /// How many prepared statements each connection keeps. Above the number of distinct statements of a typical
    /// program, so that none is prepared twice.
    pub const PREPARED_STATEMENTS: usize = 100;

    /// A self-managed TiDB on this machine, as the tutorials start it: `root@127.0.0.1:4000/test` without a password.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Host name or address. Default: `127.0.0.1`.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// TCP port. Default: 4000.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// User name; on TiDB Cloud Starter with the cluster's prefix, `<prefix>.root`. Default: `root`.
    #[must_use]
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = user.into();
        self
    }

    /// Password. Default: none.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<Password>) -> Self {
        self.password = password.into();
        self
    }

    /// Database to use. Default: `test`.
    #[must_use]
    pub fn with_database(mut self, database: impl Into<String>) -> Self {
        self.database = database.into();
        self
    }

    /// Whether to use TLS. Default: [`TlsMode::Automatic`].
    #[must_use]
    pub fn with_tls(mut self, tls: TlsMode) -> Self {
        self.tls = tls;
        self
    }

    /// A PEM file of certificate authorities to trust beside the bundled Mozilla roots. Default: none.
    #[must_use]
    pub fn with_ca_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_path = Some(path.into());
        self
    }

    /// The kind of deployment, when the host name does not tell. Default: recognised from the host.
    #[must_use]
    pub fn with_deployment(mut self, deployment: Deployment) -> Self {
        self.deployment = Some(deployment);
        self
    }

    /// How long opening a connection may take, from name resolution to the end of login.
    ///
    /// Default: 20 s, because a TiDB Cloud Starter cluster that sleeps takes several seconds to wake.
    #[must_use]
    pub fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long the server may take to answer one statement, or to send the next rows of its answer; then the call fails, and
    /// the pool closes the connection.
    ///
    /// TiDB and MySQL also stop a `SELECT` by themselves that takes longer than this as a whole, its rows included
    /// ([`session_sql`](Self::session_sql)). What goes on after a time-out on other statements is in `docs/session-state.md`.
    ///
    /// Default: 60 s, above the 50 s that TiDB waits for a lock (`innodb_lock_wait_timeout`).
    #[must_use]
    pub fn with_operation_timeout(mut self, limit: Duration) -> Self {
        self.operation_timeout = limit;
        self
    }

    /// The rules of the pool. Default: [`PoolPolicy::default`].
    #[must_use]
    pub fn with_pool(mut self, pool: PoolPolicy) -> Self {
        self.pool = pool;
        self
    }

    /// Host name or address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as people write them: `db.example.org:4000`, `[::1]:4000`.
    #[must_use]
    pub fn address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// User name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Password, hidden until [exposed](Password::expose).
    #[must_use]
    pub fn password(&self) -> &Password {
        &self.password
    }

    /// Database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The TLS mode that was set.
    #[must_use]
    pub fn tls(&self) -> TlsMode {
        self.tls
    }

    /// The PEM file of further certificate authorities.
    #[must_use]
    pub fn ca_path(&self) -> Option<&Path> {
        self.ca_path.as_deref()
    }

    /// How long opening a connection may take.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// How long one statement may take.
    #[must_use]
    pub fn operation_timeout(&self) -> Duration {
        self.operation_timeout
    }

    /// The rules of the pool.
    #[must_use]
    pub fn pool(&self) -> &PoolPolicy {
        &self.pool
    }

    /// Where TiDB runs: as set, or else recognised from the host name.
    ///
    /// Source of the host names: the TiDB Cloud documentation, connect-via-standard-connection.
    #[must_use]
    pub fn deployment(&self) -> Deployment {
        let under = |suffix: &str| self.host.trim_end_matches('.').to_ascii_lowercase().ends_with(suffix);
        self.deployment.unwrap_or_else(|| {
            if under(".tidbcloud.com") {
                Deployment::Starter
            } else if under(".tidb-cloud.com") {
                Deployment::Dedicated
            } else {
                Deployment::SelfManaged
            }
        })
    }

    /// Whether the connection will be encrypted, and the server's certificate and name verified.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        match self.tls {
            TlsMode::Verify => true,
            TlsMode::Disabled => false,
            TlsMode::Automatic => {
                self.deployment() != Deployment::SelfManaged
                    || self.ca_path.is_some()
                    || !(self.is_loopback() || self.password.is_empty())
            }
        }
    }

    /// The one statement that every session runs after login, so that a `TIMESTAMP` means the same through every driver, and
    /// that TiDB and MySQL themselves stop a `SELECT` that runs longer than the [operation
    /// time-out](Self::operation_timeout).
    ///
    /// MariaDB has no `max_execution_time`, and skips comments for MySQL 5.7 and later.
    #[must_use]
    pub fn session_sql(&self) -> String {
        format!("SET time_zone = '+00:00' /*!50708 , max_execution_time = {} */", self.max_execution_time())
    }

    /// In milliseconds; 0, for no limit, where the time-out is longer than the server can count.
    fn max_execution_time(&self) -> u32 {
        match self.operation_timeout.as_millis() {
            0 => 1,
            time => i32::try_from(time).map_or(0, i32::unsigned_abs),
        }
    }

    fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Checks what can be checked without a server.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the setting: an empty host, user or database, port 0, a pool of 0, a time-out of
    /// 0, or a CA file that cannot be read or holds no PEM certificate.
    pub fn validate(&self) -> Result<()> {
        let wrong = |message: &'static str| Err(Error::new(ErrorKind::Config, message));
        if self.host.trim().is_empty() {
            return wrong("the host is empty: set TIDB_HOST to the server's name or address");
        }
        if self.port == 0 {
            return wrong("the port is 0: set TIDB_PORT to a number from 1 to 65535, usually 4000");
        }
        if self.user.is_empty() {
            return wrong("the user is empty: set TIDB_USER, for example to root");
        }
        if self.database.is_empty() {
            return wrong("the database is empty: set TIDB_DB_NAME, for example to test");
        }
        if self.pool.max_connections() == 0 {
            return wrong("the pool may hold no connection: set its maximum to 1 or more");
        }
        if self.connect_timeout.is_zero() || self.operation_timeout.is_zero() || self.pool.acquire_timeout().is_zero() {
            return wrong("a time-out is 0, so that every call would fail: set it to more than 0 seconds");
        }
        self.ca_certificates().map(drop)
    }

    /// The certificates in [`ca_path`](Self::ca_path), none when it is not set.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the file cannot be read, holds no certificate in PEM form, or one that some driver would
    /// pass over.
    pub fn ca_certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        let Some(path) = &self.ca_path else { return Ok(Vec::new()) };
        let wrong = |what| Error::new(ErrorKind::Config, format!("CA_PATH names {}, which {what}", path.display()));
        let pem = std::fs::read(path)
            .map_err(|cause| wrong("cannot be read: set it to the CA's PEM file").with_source(cause))?;
        if let Some(problem) = no_pem(&pem) {
            return Err(wrong(problem));
        }
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|cause| wrong("is damaged: get the CA certificate again").with_source(cause))?;
        let begun = occurrences(&pem, b"BEGIN CERTIFICATE");
        if begun == 0 {
            return Err(wrong("holds no certificate: it must be a PEM file, with -----BEGIN CERTIFICATE----- in it"));
        }
        if certificates.len() != begun {
            let read = certificates.len();
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "CA_PATH names {}, of whose {begun} certificates {read} can be read: put each BEGIN line and each END \
                     line on a line of its own, without blanks before it",
                    path.display()
                ),
            ));
        }
        Ok(certificates)
    }
}

/// Why a file that tools write for a CA is none of which every driver would read all certificates.
fn no_pem(file: &[u8]) -> Option<&'static str> {
    let has = |part: &[u8]| occurrences(file, part) > 0;
    match file {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("is in UTF-16: save it as plain ASCII or UTF-8"),
        [0x30, 0x80..=0x84, ..] if !has(b"BEGIN ") => {
            Some("is in DER form: convert it by `openssl x509 -inform der -in FILE -out ca.pem`")
        }
        _ if has(b"BEGIN TRUSTED CERTIFICATE") => {
            Some("holds a TRUSTED CERTIFICATE: convert it by `openssl x509 -in FILE -out ca.pem`")
        }
        _ if has(b"BEGIN X509 CERTIFICATE") => {
            Some("holds an X509 CERTIFICATE: write CERTIFICATE in its place in the BEGIN and END lines")
        }
        _ if has(b"BEGIN PKCS7") || has(b"BEGIN CMS") => {
            Some("is in PKCS #7 form: convert it by `openssl pkcs7 -print_certs -in FILE -out ca.pem`")
        }
        _ => None,
    }
}

fn occurrences(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len()).filter(|window| *window == part).count()
}

impl fmt::Display for ConnectionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.user, self.address(), self.database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_recognised_and_can_be_forced() {
        let at = |host: &str| ConnectionConfig::new().with_host(host).deployment();
        assert_eq!(at("gateway01.us-east-1.prod.aws.tidbcloud.com"), Deployment::Starter);
        assert_eq!(at("GATEWAY01.us-east-1.prod.aws.TiDBCloud.com."), Deployment::Starter);
        assert_eq!(at("tidb.abc.clusters.tidb-cloud.com"), Deployment::Dedicated);
        assert_eq!(at("tidbcloud.com.example.org"), Deployment::SelfManaged);
        let forced = ConnectionConfig::new().with_deployment(Deployment::Dedicated);
        assert!(forced.deployment() == Deployment::Dedicated && forced.uses_tls());
    }

    #[test]
    fn a_password_leaves_the_machine_in_the_clear_only_when_told_so_by_name() {
        let remote = ConnectionConfig::new().with_host("db.example.org").with_password("secret");
        assert!(remote.uses_tls());
        assert!(!remote.clone().with_tls(TlsMode::Disabled).uses_tls());
        assert!(!remote.clone().with_password("").uses_tls());
        for host in ["127.0.0.1", "localhost", "::1", "127.8.8.8"] {
            assert!(!remote.clone().with_host(host).uses_tls(), "{host}");
        }
    }

    #[test]
    fn what_is_wrong_names_the_setting() {
        let said = |config: ConnectionConfig| {
            let error = config.validate().expect_err("must be refused");
            assert_eq!(error.kind(), ErrorKind::Config);
            error.to_string()
        };
        assert!(said(ConnectionConfig::new().with_host(" ")).contains("TIDB_HOST"));
        assert!(said(ConnectionConfig::new().with_port(0)).contains("TIDB_PORT"));
        assert!(said(ConnectionConfig::new().with_ca_path("/nowhere/ca.pem")).contains("CA_PATH"));
        assert!(said(ConnectionConfig::new().with_ca_path("/dev/null")).contains("CA_PATH"));
    }

    #[test]
    fn the_server_limits_a_select_like_the_client() {
        let limit = |time| ConnectionConfig::new().with_operation_timeout(time).max_execution_time();
        assert_eq!(limit(Duration::from_secs(60)), 60_000);
        assert_eq!(limit(Duration::from_nanos(1)), 1);
        assert_eq!(limit(Duration::from_millis(2_147_483_647)), 2_147_483_647);
        assert_eq!(limit(Duration::from_millis(2_147_483_648)), 0);
        assert_eq!(limit(Duration::MAX), 0);
    }

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        let config = ConnectionConfig::new().with_host("::1");
        assert_eq!(config.to_string(), "root@[::1]:4000/test");
        assert_eq!(ConnectionConfig::new().address(), "127.0.0.1:4000");
    }

    #[test]
    fn the_password_shows_nowhere() {
        let config = ConnectionConfig::new().with_password("canary");
        assert!(!format!("{config} {config:?} {config:#?}").contains("canary"));
    }
}
