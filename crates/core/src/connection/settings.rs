//! A configuration put together from flags, the environment and `.env`, each value knowing where it came from.

use std::{env, fmt, net::Ipv6Addr, str::FromStr};

use percent_encoding::percent_decode_str;

use super::{ConnectionConfig, Deployment, Password, TlsMode};
use crate::{Error, ErrorKind, Result};

const URL: &str = "DATABASE_URL";
const URL_KEYS: &str = "user, password, ssl-mode, sslaccept, ssl, tls, useSSL, ssl_verify_cert, ssl_verify_identity, ssl-ca, sslcert, \
                        enabledTLSProtocols, charset";

/// What was found in flags, variables and URLs, before it becomes a [`ConnectionConfig`].
///
/// A flag beats the environment, which beats `.env`. To get that order add them in that order: what is added first wins.
/// Only values that win are checked, so that a flag can replace a malformed variable.
///
/// `TIDB_` variables win as a whole over `DATABASE_` ones, which other programs use as well: where a `TIDB_` variable for
/// host, port, user, password or database is set, or the flag for the host is given, in whatever source, no `DATABASE_`
/// variable is read. So neither a URL of another product nor a Kubernetes service named `database` is in the way, and no
/// password of one family goes to a host of the other. Among `DATABASE_` variables of one source, one such as
/// `DATABASE_HOST` beats the same part of `DATABASE_URL`.
///
/// | setting | variables | default |
/// |---|---|---|
/// | host | `TIDB_HOST`, `DATABASE_HOST` | `127.0.0.1` |
/// | port | `TIDB_PORT`, `DATABASE_PORT` | 4000 |
/// | user | `TIDB_USER`, `DATABASE_USER` | `root` |
/// | password | `TIDB_PASSWORD`, `DATABASE_PASSWORD` | none |
/// | database | `TIDB_DB_NAME`, `TIDB_DATABASE`, `DATABASE_NAME` | `test` |
/// | TLS | `TIDB_ENABLE_SSL`, `USE_SSL`, `DATABASE_ENABLE_SSL` | [`TlsMode::Automatic`] |
/// | CA file | `CA_PATH`, `TIDB_CA_PATH`, `DATABASE_SSL_CA` | none |
/// | deployment | `TIDB_DEPLOYMENT` | recognised from the host |
/// | several | `DATABASE_URL`, as [`ConnectionConfig::from_url`] reads it | none |
///
/// An empty variable is an error for host, port, user and database, and as if unset for the others. Two names for one
/// setting may stand in one source only if they mean the same. TLS is `true`, `yes` or `1` ([`TlsMode::Verify`]),
/// `false`, `no` or `0` ([`TlsMode::Disabled`]), or a mode by name: `verify`, `disabled`, `automatic`. The deployment is
/// `starter`, `essential`, `dedicated` or `self-managed`.
/// All values but the password are trimmed. What is still a placeholder of some instructions (`<host>`, `{password}`), keeps
/// quotes that were not part of it, or is a misspelt `TIDB_` name, is an error that says so.
///
/// Neither `Debug` nor any error shows a password.
///
/// ```
/// use tidb_connect_core::{Setting, Settings};
///
/// let dotenv = |name: &str| match name {
///     "TIDB_HOST" => Some("db.example.org".to_owned()),
///     "TIDB_PORT" => Some("abc".to_owned()),
///     _ => None,
/// };
/// let settings = Settings::new().with_variables(".env", dotenv);
/// assert_eq!(
///     settings.config().unwrap_err().to_string(),
///     "TIDB_PORT in .env is 'abc': it must be a number from 1 to 65535, usually 4000",
/// );
///
/// let settings = Settings::new().with_flag("--port", Setting::Port, Some("4001".into())).with_variables(".env", dotenv);
/// assert_eq!(settings.config()?.to_string(), "root@db.example.org:4001/test");
/// assert_eq!(settings.found()?[0].to_string(), "host = db.example.org (from TIDB_HOST in .env)");
/// # Ok::<(), tidb_connect_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Settings {
    sources: Vec<Source>,
}

/// One thing that can be set from outside the program.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// Host name or address, without scheme or port.
    Host,
    /// TCP port: 1 to 65535.
    Port,
    /// User name.
    User,
    /// Password.
    Password,
    /// Database to use.
    Database,
    /// Whether to use TLS.
    Tls,
    /// PEM file of further certificate authorities.
    CaPath,
    /// The kind of deployment, where the host name does not tell.
    Deployment,
}

/// The value of one setting and where it came from; `Display` is `host = db.example.org (from TIDB_HOST in .env)`,
/// with `***` for a password.
#[derive(Clone, Debug)]
pub struct FoundSetting {
    setting: Setting,
    origin: String,
    family: Family,
    /// Hidden like a password, because people do put a whole URL into the wrong variable.
    value: Password,
}

/// What belongs together: a flag, the environment, one `.env`.
#[derive(Clone, Debug)]
struct Source {
    values: Vec<FoundSetting>,
    url: Option<ConnectionUrl>,
    /// Variables that look like one of ours, and what they look like.
    misspelt: Vec<(String, &'static str)>,
}

#[derive(Clone, Debug)]
struct ConnectionUrl {
    origin: String,
    text: Password,
}

impl Settings {
    /// Nothing set: the defaults of [`ConnectionConfig::new`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The environment of this process alone.
    ///
    /// # Errors
    /// As [`with_environment`](Self::with_environment).
    pub fn from_env() -> Result<Self> {
        Self::new().with_environment()
    }

    /// Adds a command-line flag, such as `--host`, below what was added before; `None` when it was not given.
    #[must_use]
    pub fn with_flag(mut self, flag: &str, setting: Setting, value: Option<String>) -> Self {
        let value = value.and_then(|value| FoundSetting::new(setting, flag.to_owned(), Family::Flag, value));
        self.sources.push(Source { values: value.into_iter().collect(), url: None, misspelt: Vec::new() });
        self
    }

    /// Adds the environment of this process, below what was added before.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the variable, when the value of one of [`variables`](Self::variables) is not UTF-8.
    pub fn with_environment(self) -> Result<Self> {
        let source = "the environment";
        for name in Self::variables() {
            if let Err(env::VarError::NotUnicode(_)) = env::var(name) {
                return Err(config_error(format!("{name} in {source} is not valid UTF-8: set it again")));
            }
        }
        let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        Ok(self.with_variables(source, |name| env::var(name).ok()).with_names(source, names))
    }

    /// Adds the names of all variables in `source`, so that [`config`](Self::config) can find one of ours that is misspelt.
    #[must_use]
    pub fn with_names(mut self, source: &str, names: impl IntoIterator<Item = String>) -> Self {
        let misspelt = names.into_iter().filter_map(|name| Some((format!("{name} in {source}"), meant(&name)?)));
        self.sources.push(Source { values: Vec::new(), url: None, misspelt: misspelt.collect() });
        self
    }

    /// Adds the variables that `lookup` knows, below what was added before; errors call them `TIDB_HOST in <source>`.
    #[must_use]
    pub fn with_variables(mut self, source: &str, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let origin = |name: &str| format!("{name} in {source}");
        let mut values = Vec::new();
        for setting in Setting::ALL {
            for name in setting.variables() {
                let family = Family::of(name);
                values.extend(lookup(name).and_then(|value| FoundSetting::new(setting, origin(name), family, value)));
            }
        }
        let url = lookup(URL).filter(|text| !text.trim().is_empty());
        let url = url.map(|text| ConnectionUrl { origin: origin(URL), text: text.into() });
        self.sources.push(Source { values, url, misspelt: Vec::new() });
        self
    }

    /// The name of every variable that is read.
    pub fn variables() -> impl Iterator<Item = &'static str> {
        Setting::ALL.into_iter().flat_map(Setting::variables).copied().chain([URL])
    }

    /// The configuration that these settings make.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the setting as it was written and saying what to do, when a value is malformed,
    /// when two names for one setting disagree within one source, or when the CA file cannot be used.
    pub fn config(&self) -> Result<ConnectionConfig> {
        Ok(self.resolve()?.0)
    }

    /// The values that won, and where each came from; what has its default is not among them.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub fn found(&self) -> Result<Vec<FoundSetting>> {
        Ok(self.resolve()?.1)
    }

    /// Whether a host, a port or a URL was given, so that no other server may take its place.
    #[must_use]
    pub fn names_a_server(&self) -> bool {
        let foreign = !self.has_ours();
        self.sources.iter().any(|source| {
            let named = |value: &FoundSetting| matches!(value.setting, Setting::Host | Setting::Port);
            (foreign && source.url.is_some()) || source.read(foreign).any(named)
        })
    }

    /// What a person should hear before a password is used, one sentence each: that `.env` has a say in where a password
    /// from elsewhere goes, or whether it is encrypted.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub fn notices(&self) -> Result<Vec<String>> {
        let found = self.found()?;
        let find = |setting| found.iter().find(|value| value.setting == setting);
        let in_file = |value: &&FoundSetting| value.origin.ends_with(" in .env");
        let Some(password) = find(Setting::Password).filter(|value| !in_file(value)) else { return Ok(Vec::new()) };
        let loosens = |value: &&FoundSetting| {
            value.setting != Setting::Tls || parse_tls(value.value.expose()) == Some(TlsMode::Disabled)
        };
        let steering = [Setting::Host, Setting::Port, Setting::Tls, Setting::CaPath].into_iter().filter_map(find);
        let notice = |value: &FoundSetting| format!("{} is used with {value}", password.origin);
        Ok(steering.filter(in_file).filter(loosens).map(notice).collect())
    }

    /// Whether our own variables, or the flag for the host, say where to connect or as whom.
    fn has_ours(&self) -> bool {
        self.sources.iter().flat_map(|source| &source.values).any(|value| match (value.family, value.setting) {
            (Family::Flag, setting) => setting == Setting::Host,
            (Family::Ours, setting) => !matches!(setting, Setting::Tls | Setting::CaPath | Setting::Deployment),
            (Family::Shared | Family::Database | Family::Url, _) => false,
        })
    }

    fn resolve(&self) -> Result<(ConnectionConfig, Vec<FoundSetting>)> {
        let foreign = !self.has_ours();
        let (mut config, mut found) = (ConnectionConfig::new(), Vec::new());
        for setting in Setting::ALL {
            let first = self.sources.iter().find_map(|source| source.find(setting, foreign).transpose());
            if let Some(value) = first.transpose()? {
                config = value.apply(config)?;
                found.push(value);
            } else {
                self.check_spelling(setting)?;
            }
        }
        Ok((config, found))
    }

    /// Refuses a misspelt variable for a setting that nothing else sets.
    fn check_spelling(&self, setting: Setting) -> Result<()> {
        let misspelt = self.sources.iter().flat_map(|source| &source.misspelt);
        match misspelt.clone().find(|(_, meant)| setting.variables().contains(meant)) {
            Some((origin, meant)) => Err(config_error(format!("{origin} is not a setting: did you mean {meant}?"))),
            None => Ok(()),
        }
    }
}

/// The variable of ours that an unknown `TIDB_` name was probably meant to be.
fn meant(name: &str) -> Option<&'static str> {
    // What other programs of TiDB's tutorials call them.
    const SYNONYMS: [(&str, &str); 14] = [
        ("TIDB_USERNAME", "TIDB_USER"),
        ("TIDB_USER_NAME", "TIDB_USER"),
        ("TIDB_PASS", "TIDB_PASSWORD"),
        ("TIDB_PWD", "TIDB_PASSWORD"),
        ("TIDB_HOSTNAME", "TIDB_HOST"),
        ("TIDB_SERVER_HOST", "TIDB_HOST"),
        ("TIDB_DB", "TIDB_DB_NAME"),
        ("TIDB_NAME", "TIDB_DB_NAME"),
        ("TIDB_DATABASE_NAME", "TIDB_DB_NAME"),
        ("TIDB_SSL", "TIDB_ENABLE_SSL"),
        ("TIDB_TLS", "TIDB_ENABLE_SSL"),
        ("TIDB_USE_SSL", "TIDB_ENABLE_SSL"),
        ("TIDB_CA", "TIDB_CA_PATH"),
        ("TIDB_SSL_CA", "TIDB_CA_PATH"),
    ];
    if !name.to_ascii_uppercase().starts_with("TIDB") || Settings::variables().any(|known| known == name) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    let synonym = SYNONYMS.iter().find(|(synonym, _)| *synonym == upper).map(|(_, meant)| *meant);
    let near = || {
        let ours = Settings::variables().filter(|known| known.starts_with("TIDB_"));
        ours.map(|known| (strsim::osa_distance(&upper, known), known)).min().filter(|(distance, _)| *distance <= 2)
    };
    synonym.or_else(|| near().map(|(_, known)| known))
}

impl ConnectionConfig {
    /// The configuration in the environment of this process, by the names that [`Settings`] lists.
    ///
    /// # Errors
    /// As [`Settings::config`].
    pub fn from_env() -> Result<Self> {
        Settings::from_env()?.config()
    }

    /// The configuration in a URL: `mysql://user:password@host:port/database?key=value`.
    ///
    /// Only the host is required. User, password and database are percent-decoded. The schemes `mysql2`, `mysql+…`
    /// (SQLAlchemy) and `jdbc:mysql` (also `jdbc:mariadb`, `jdbc:tidb`) are read the same, but that in the last of them keys
    /// that concern neither login nor TLS are skipped, since they set up Java's driver. Query keys are those of the connection strings in the TiDB
    /// Cloud console, in any case, with `-`, `_` or nothing between words:
    ///
    /// | key | value | meaning |
    /// |---|---|---|
    /// | `ssl-mode` | `REQUIRED`, `VERIFY_CA`, `VERIFY_IDENTITY` | [`TlsMode::Verify`] |
    /// | | `PREFERRED` | [`TlsMode::Automatic`] |
    /// | | `DISABLED` | [`TlsMode::Disabled`] |
    /// | `sslaccept` | `strict` | [`TlsMode::Verify`] |
    /// | `ssl`, `tls`, `useSSL` | `true`, `false` | [`TlsMode::Verify`], [`TlsMode::Disabled`] |
    /// | `tls` | `tidb` | [`TlsMode::Verify`] |
    /// | `ssl` | `{"minVersion":"TLSv1.2","rejectUnauthorized":true}` | [`TlsMode::Verify`] |
    /// | `ssl_verify_cert`, `ssl_verify_identity`, `requireSSL`, `verifyServerCertificate` | `true` | [`TlsMode::Verify`] |
    /// | `user`, `password` | as before the host | the login |
    /// | `ssl-ca`, `sslcert` | a path | the CA file |
    /// | `enabledTLSProtocols` | `TLSv1.2`, `TLSv1.3` or both | nothing: there is no lower |
    /// | `charset` | `utf8mb4` | nothing: there is no other |
    ///
    /// # Errors
    /// [`ErrorKind::Config`], which never repeats the URL, when it is malformed, has an unknown key or one key twice,
    /// asks for TLS without verification, contradicts itself, or names a CA file that cannot be used.
    pub fn from_url(url: &str) -> Result<Self> {
        let url = ConnectionUrl { origin: "the URL".into(), text: url.into() };
        Settings { sources: vec![Source { values: Vec::new(), url: Some(url), misspelt: Vec::new() }] }.config()
    }
}

impl FromStr for ConnectionConfig {
    type Err = Error;

    /// Same as [`from_url`](Self::from_url).
    fn from_str(url: &str) -> Result<Self> {
        Self::from_url(url)
    }
}

impl Setting {
    const ALL: [Self; 8] =
        [Self::Host, Self::Port, Self::User, Self::Password, Self::Database, Self::Tls, Self::CaPath, Self::Deployment];

    fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Host => &["TIDB_HOST", "DATABASE_HOST"],
            Self::Port => &["TIDB_PORT", "DATABASE_PORT"],
            Self::User => &["TIDB_USER", "DATABASE_USER"],
            Self::Password => &["TIDB_PASSWORD", "DATABASE_PASSWORD"],
            Self::Database => &["TIDB_DB_NAME", "TIDB_DATABASE", "DATABASE_NAME"],
            Self::Tls => &["TIDB_ENABLE_SSL", "USE_SSL", "DATABASE_ENABLE_SSL"],
            Self::CaPath => &["CA_PATH", "TIDB_CA_PATH", "DATABASE_SSL_CA"],
            Self::Deployment => &["TIDB_DEPLOYMENT"],
        }
    }

    fn empty_is_unset(self) -> bool {
        matches!(self, Self::Password | Self::Tls | Self::CaPath | Self::Deployment)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Port => "port",
            Self::User => "user",
            Self::Password => "password",
            Self::Database => "database",
            Self::Tls => "TLS",
            Self::CaPath => "CA file",
            Self::Deployment => "deployment",
        })
    }
}

/// Whose a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// A command-line flag.
    Flag,
    /// `TIDB_…`.
    Ours,
    /// A name without a prefix, as TiDB's tutorials use it beside either of the others.
    Shared,
    /// `DATABASE_…`, which may be another program's.
    Database,
    /// A part of a URL, in which special characters are encoded.
    Url,
}

impl Family {
    fn of(name: &str) -> Self {
        match name {
            _ if name.starts_with("TIDB_") => Self::Ours,
            _ if name.starts_with("DATABASE_") => Self::Database,
            _ => Self::Shared,
        }
    }
}

impl Source {
    /// The values that are read; those of the `DATABASE_` family only where none of ours is in the way.
    fn read(&self, foreign: bool) -> impl Iterator<Item = &FoundSetting> {
        self.values.iter().filter(move |value| foreign || value.family != Family::Database)
    }

    fn find(&self, setting: Setting, foreign: bool) -> Result<Option<FoundSetting>> {
        match (find_agreed(self.read(foreign), setting)?, &self.url) {
            (None, Some(url)) if foreign => find_agreed(url.parse()?.iter(), setting),
            (own, _) => Ok(own),
        }
    }
}

/// The value of `setting`, when all that `values` say about it means the same.
fn find_agreed<'a>(values: impl Iterator<Item = &'a FoundSetting>, setting: Setting) -> Result<Option<FoundSetting>> {
    let mut values = values.filter(|value| value.setting == setting);
    let Some(first) = values.next() else { return Ok(None) };
    for other in values {
        if first.apply(ConnectionConfig::new())? != other.apply(ConnectionConfig::new())? {
            return Err(config_error(format!("{} and {} contradict each other: keep one", first.origin, other.origin)));
        }
    }
    Ok(Some(first.clone()))
}

impl FoundSetting {
    /// `None` for an empty value that counts as unset.
    fn new(setting: Setting, origin: String, family: Family, value: String) -> Option<Self> {
        let value = if setting == Setting::Password { value } else { value.trim().to_owned() };
        let unset = value.is_empty() && setting.empty_is_unset();
        (!unset).then(|| Self { setting, origin, family, value: value.into() })
    }

    /// What is set.
    #[must_use]
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// Where the value came from: `--host`, `TIDB_HOST in .env`, `the host of DATABASE_URL in the environment`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    fn apply(&self, config: ConnectionConfig) -> Result<ConnectionConfig> {
        let value = self.value.expose();
        let wrong = |problem| malformed(&self.origin, value, problem);
        let is_password = self.setting == Setting::Password;
        if self.setting == Setting::Port && value.starts_with("tcp://") {
            return Err(wrong(
                "Kubernetes sets it for a service of that name: set it in the pod, or enableServiceLinks to false",
            ));
        }
        if !is_password && value.contains("://") {
            return Err(wrong("only DATABASE_URL may hold a URL"));
        }
        if !is_password && value.contains(char::is_control) {
            return Err(wrong("it must not hold control characters"));
        }
        if self.family != Family::Url {
            if is_placeholder(self.setting, value) {
                let origin = &self.origin;
                return Err(config_error(format!("{origin} is still a placeholder: put your own value in its place")));
            }
            if let (false, Some(problem)) = (is_password, kept_quote(value)) {
                return Err(wrong(problem));
            }
        }
        match self.setting {
            Setting::Host => match parse_host(value) {
                Some(host) => Ok(config.with_host(host)),
                None => Err(wrong("it must be the server's name or address alone; the port is a setting of its own")),
            },
            Setting::Port => match parse_port(value) {
                Some(port) => Ok(config.with_port(port)),
                None => Err(wrong("it must be a number from 1 to 65535, usually 4000")),
            },
            Setting::User if value.is_empty() => Err(wrong("set it, for example to root, or remove it")),
            Setting::User => Ok(config.with_user(value)),
            Setting::Password => Ok(config.with_password(value)),
            Setting::Database if value.is_empty() => Err(wrong("set it, for example to test, or remove it")),
            Setting::Database => Ok(config.with_database(value)),
            Setting::Tls => match parse_tls(value) {
                Some(mode) => Ok(config.with_tls(mode)),
                None => Err(wrong("it must be true or false")),
            },
            Setting::Deployment => match parse_deployment(value) {
                Some(deployment) => Ok(config.with_deployment(deployment)),
                None => Err(wrong("it must be starter, essential, dedicated or self-managed")),
            },
            Setting::CaPath if value.starts_with('~') => {
                Err(wrong("write the whole path, because ~ is not expanded here"))
            }
            Setting::CaPath => {
                let config = config.with_ca_path(value);
                let usable = config.ca_certificates();
                usable.map_err(|cause| wrong("it must be a readable PEM file").with_source(cause))?;
                Ok(config)
            }
        }
    }
}

impl fmt::Display for FoundSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.setting == Setting::Password { "***" } else { self.value.expose() };
        write!(f, "{} = {value} (from {})", self.setting, self.origin)
    }
}

fn config_error(message: String) -> Error {
    Error::new(ErrorKind::Config, message)
}

fn malformed(origin: &str, value: &str, problem: &str) -> Error {
    let value = match value {
        "" => "empty".to_owned(),
        // A URL or a Go DSN that landed in the wrong variable, with the password in it.
        _ if value.contains('@') || value.contains("://") => "malformed".to_owned(),
        _ => format!("'{}'", value.escape_debug()),
    };
    config_error(format!("{origin} is {value}: {problem}"))
}

/// Whether instructions wrote this for the reader to replace: `<host>`, `{port}`, `${TIDB_USER}`, and `<prefix>.root`. Of a
/// password, which may be anything, only what is nothing but a placeholder for one.
fn is_placeholder(setting: Setting, value: &str) -> bool {
    let within = |open: char, close: char| {
        let (_, rest) = value.split_once(open)?;
        rest.split_once(close)
            .map(|(name, rest)| (name, rest.is_empty() && value.trim_start_matches('$').starts_with(open)))
    };
    [('<', '>'), ('{', '}')].into_iter().filter_map(|(open, close)| within(open, close)).any(|(name, whole)| {
        match setting {
            Setting::Password => whole && name.to_ascii_lowercase().contains("pass"),
            _ => !name.is_empty(),
        }
    })
}

/// What is wrong with a value that has kept a quote, as it does from the file that `docker run --env-file` reads.
fn kept_quote(value: &str) -> Option<&'static str> {
    let quote = |c: Option<char>| c.filter(|c| matches!(c, '\'' | '"' | '`'));
    match (quote(value.chars().next()), quote(value.chars().last())) {
        (Some(first), Some(last)) if first == last && value.len() > 1 => {
            Some("the quotes have become part of it: leave them out")
        }
        (None, None) => None,
        _ => Some("it has a quote at one end: close it, or leave it out"),
    }
}

fn parse_host(text: &str) -> Option<&str> {
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if address.parse::<Ipv6Addr>().is_ok() {
        return Some(address);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!text.is_empty() && text.chars().all(is_name)).then_some(text)
}

fn parse_port(text: &str) -> Option<u16> {
    // `u16::from_str` alone would accept a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0)
}

fn parse_tls(text: &str) -> Option<TlsMode> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "verify" => Some(TlsMode::Verify),
        "false" | "no" | "0" | "disabled" => Some(TlsMode::Disabled),
        "automatic" => Some(TlsMode::Automatic),
        _ => None,
    }
}

fn parse_deployment(text: &str) -> Option<Deployment> {
    match text.to_ascii_lowercase().as_str() {
        "starter" | "essential" => Some(Deployment::Starter),
        "dedicated" => Some(Deployment::Dedicated),
        "self-managed" => Some(Deployment::SelfManaged),
        _ => None,
    }
}

/// The [`TlsMode`] by name that a URL's option asks for; `None` when it is not known or asks for less than verification.
fn parse_tls_option(key: &str, value: &str) -> Option<&'static str> {
    match (key, value.to_ascii_lowercase().as_str()) {
        (
            "ssl" | "tls" | "usessl" | "requiressl" | "sslverifycert" | "sslverifyidentity" | "verifyservercertificate",
            "true",
        )
        | ("tls", "tidb")
        | ("sslaccept", "strict")
        | ("sslmode", "required" | "verify_ca" | "verify_identity") => Some("verify"),
        ("sslmode", "preferred") => Some("automatic"),
        ("sslmode", "disabled") | ("ssl" | "tls" | "usessl", "false") => Some("disabled"),
        ("ssl", json) if verifies(json) => Some("verify"),
        _ => None,
    }
}

/// Whether this is Node's TLS object, in lower case, with nothing in it that loosens verification.
fn verifies(json: &str) -> bool {
    let fields = json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    fields.is_some_and(|fields| {
        fields.split(',').all(|field| {
            let field = field.replace(['"', ' '], "");
            matches!(field.as_str(), "rejectunauthorized:true" | "minversion:tlsv1.2" | "minversion:tlsv1.3")
        })
    })
}

/// Taken apart by hand, because an error must name the part that is wrong, and must not repeat the password wherever
/// a character that was not encoded has moved it.
impl ConnectionUrl {
    fn parse(&self) -> Result<Vec<FoundSetting>> {
        let text = self.text.expose().trim();
        let Some((scheme, rest)) = text.split_once("://") else { return Err(self.unreadable("is no URL")) };
        let is_java = self.check_scheme(scheme)?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (login, server) = authority.rsplit_once('@').unwrap_or(("", authority));
        if login.contains('@') || tail.contains(['@', '#']) {
            return Err(self.unreadable("has an @ or # where none can be"));
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let database = path.strip_prefix('/').unwrap_or(path);
        if database.contains('/') {
            return Err(self.unreadable("has a second / after the host"));
        }
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let bracket = server.rfind(']').unwrap_or(0);
        let (host, port) = match server[bracket..].find(':') {
            Some(colon) => (&server[..bracket + colon], Some(&server[bracket + colon + 1..])),
            None => (server, None),
        };
        // Checked here, not when applied, because either may turn out to be a piece of the password.
        let raw = [(Setting::Host, host), (Setting::Port, port.unwrap_or_default()), (Setting::User, user)];
        let mut raw = raw.into_iter().chain([(Setting::Password, password), (Setting::Database, database)]);
        if let Some((setting, _)) = raw.find(|&(setting, text)| is_placeholder(setting, text)) {
            let origin = &self.origin;
            return Err(config_error(format!(
                "{origin} still has a placeholder for its {setting}: put your own value in its place"
            )));
        }
        if parse_host(host).is_none() {
            return Err(self.unreadable(if host.is_empty() { "has no host" } else { "has a malformed host" }));
        }
        if port.is_some_and(|port| parse_port(port).is_none()) {
            return Err(self.unreadable("has a port that is not a number from 1 to 65535"));
        }

        let mut parts = vec![self.part(Setting::Host, host.to_owned())];
        parts.extend(port.map(|port| self.part(Setting::Port, port.to_owned())));
        for (setting, text) in [(Setting::User, user), (Setting::Password, password), (Setting::Database, database)] {
            if !text.is_empty() {
                parts.push(self.part(setting, self.decode(text)?));
            }
        }
        self.parse_query(query, is_java, &mut parts)?;
        Ok(parts)
    }

    fn part(&self, setting: Setting, value: String) -> FoundSetting {
        let origin = format!("the {setting} of {}", self.origin);
        FoundSetting { setting, origin, family: Family::Url, value: value.into() }
    }

    /// Whether the URL is one of Java's.
    fn check_scheme(&self, scheme: &str) -> Result<bool> {
        let name = scheme.to_ascii_lowercase();
        let (name, is_java) = name.strip_prefix("jdbc:").map_or((name.as_str(), false), |name| (name, true));
        let known = if is_java { &["mysql", "mariadb", "tidb"][..] } else { &["mysql", "mysql2"] };
        if known.contains(&name) || (!is_java && name.starts_with("mysql+")) {
            return Ok(is_java);
        }
        // Behind jdbc: may also stand a password whose user is called that.
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if scheme.bytes().all(is_scheme) {
            let origin = &self.origin;
            return Err(config_error(format!("{origin} begins with {name}://, but a URL for TiDB with mysql://")));
        }
        Err(self.unreadable("is no URL"))
    }

    fn parse_query(&self, query: &str, is_java: bool, parts: &mut Vec<FoundSetting>) -> Result<()> {
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (self.decode(key)?, self.decode(value)?);
            let name = key.to_ascii_lowercase().replace(['-', '_'], "");
            let origin = format!("{key} of {}", self.origin);
            let wrong = |problem| Err(malformed(&origin, &value, problem));
            match name.as_str() {
                "user" | "password" => {
                    let setting = if name == "user" { Setting::User } else { Setting::Password };
                    parts.extend((!value.is_empty()).then(|| self.part(setting, value)));
                }
                "sslca" | "sslcert" => {
                    let family = Family::Url;
                    parts.push(FoundSetting { setting: Setting::CaPath, origin, family, value: value.into() });
                }
                "sslmode"
                | "sslaccept"
                | "ssl"
                | "tls"
                | "usessl"
                | "requiressl"
                | "sslverifycert"
                | "sslverifyidentity"
                | "verifyservercertificate" => {
                    let Some(mode) = parse_tls_option(&name, &value) else {
                        return wrong(
                            "use ssl-mode=VERIFY_IDENTITY for TLS, which always verifies, or ssl-mode=DISABLED",
                        );
                    };
                    let family = Family::Url;
                    parts.push(FoundSetting { setting: Setting::Tls, origin, family, value: mode.into() });
                }
                "enabledtlsprotocols" if value.split(',').all(|version| matches!(version, "TLSv1.2" | "TLSv1.3")) => {}
                "enabledtlsprotocols" => return wrong("only TLSv1.2 and TLSv1.3 are spoken"),
                "charset" if value.eq_ignore_ascii_case("utf8mb4") => {}
                "charset" => return wrong("it must be utf8mb4"),
                // What concerns neither login nor TLS sets up Java's driver.
                _ if is_java && !["ssl", "tls", "cert", "keystore"].iter().any(|part| name.contains(part)) => continue,
                _ => {
                    let (origin, key) = (&self.origin, key.escape_debug());
                    return Err(config_error(format!("{origin} has the unknown key '{key}': known are {URL_KEYS}")));
                }
            }
            if seen.contains(&name) {
                return Err(config_error(format!("{} has '{key}' twice: keep one", self.origin)));
            }
            seen.push(name);
        }
        Ok(())
    }

    fn decode(&self, text: &str) -> Result<String> {
        let decoded = percent_decode_str(text).decode_utf8();
        Ok(decoded.map_err(|_| self.unreadable("has a % that does not begin an encoded character"))?.into_owned())
    }

    fn unreadable(&self, what: &str) -> Error {
        let origin = &self.origin;
        config_error(format!(
            "{origin} {what}: write mysql://user:password@host:4000/database, with special characters in the password \
             percent-encoded (@ as %40, / as %2F, ? as %3F, # as %23, % as %25), or give the password in TIDB_PASSWORD"
        ))
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    /// Variables of one source, as `("TIDB_HOST", "db")`.
    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn lookup(variables: Variables<'_>) -> impl Fn(&str) -> Option<String> {
        |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    fn dotenv(variables: Variables<'_>) -> Settings {
        Settings::new().with_variables(".env", lookup(variables))
    }

    fn refusal<T: fmt::Debug>(result: Result<T>) -> String {
        let error = result.expect_err("must be refused");
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    /// Everything that a program could print about these settings.
    fn all_output(settings: &Settings) -> String {
        let found = settings.found().map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>());
        let mut output = format!("{settings:?} {settings:#?} {found:?} {:?}", settings.found());
        match settings.config() {
            Ok(config) => output += &format!("{config} {config:?}"),
            Err(error) => {
                let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
                while let Some(error) = next {
                    output += &format!("{error} {error:?}");
                    next = error.source();
                }
            }
        }
        output
    }

    #[test]
    fn a_flag_beats_the_environment_which_beats_dotenv_and_a_variable_beats_its_url() {
        let (flag, own) = (Some("flag"), ("TIDB_HOST", "own"));
        let url = ("DATABASE_URL", "mysql://url");
        let cases: &[(Option<&str>, Variables<'_>, Variables<'_>, &str)] = &[
            (flag, &[own, url], &[("TIDB_HOST", "dotenv")], "host = flag (from --host)"),
            (None, &[own, url], &[("TIDB_HOST", "dotenv")], "host = own (from TIDB_HOST in the environment)"),
            (None, &[url], &[("TIDB_HOST", "dotenv")], "host = dotenv (from TIDB_HOST in .env)"),
            (None, &[url], &[("DATABASE_HOST", "d")], "host = url (from the host of DATABASE_URL in the environment)"),
            (None, &[], &[("TIDB_HOST", "dotenv"), url], "host = dotenv (from TIDB_HOST in .env)"),
            (None, &[], &[url], "host = url (from the host of DATABASE_URL in .env)"),
        ];
        for (flag, environment, in_dotenv, expected) in cases {
            let settings = Settings::new()
                .with_flag("--host", Setting::Host, flag.map(Into::into))
                .with_variables("the environment", lookup(environment))
                .with_variables(".env", lookup(in_dotenv));
            let found = settings.found().unwrap();
            assert_eq!(found[0].to_string(), *expected);
            assert_eq!((found.len(), found[0].setting()), (1, Setting::Host));
            assert_eq!(settings.config().unwrap().host(), expected.split(' ').nth(2).unwrap());
        }
    }

    #[test]
    fn sources_are_merged_setting_by_setting() {
        let url = ("DATABASE_URL", "mysql://ann:pw@db:4002");
        let flag = || Settings::new().with_flag("--port", Setting::Port, Some("4001".into()));
        let merged = flag().with_variables("the environment", lookup(&[url, ("DATABASE_USER", "bob")])).with_variables(
            ".env",
            lookup(&[("DATABASE_HOST", "other"), ("DATABASE_NAME", "game"), ("USE_SSL", "no")]),
        );
        let config = merged.config().unwrap();
        assert_eq!(config.to_string(), "bob@db:4001/game");
        assert_eq!((config.password().expose(), config.tls()), ("pw", TlsMode::Disabled));
        let merged = flag()
            .with_variables("the environment", lookup(&[("TIDB_PASSWORD", "pw"), ("TIDB_USER", "bob")]))
            .with_variables(".env", lookup(&[("TIDB_HOST", "other"), ("TIDB_USER", "carl"), ("USE_SSL", "no")]));
        assert_eq!(merged.config().unwrap().to_string(), "bob@other:4001/test");
    }

    /// Every subset of our own names, each with every subset of the others', in one source and in two.
    #[test]
    fn our_variables_win_as_a_whole() {
        let ours = [
            ("TIDB_HOST", "ours"),
            ("TIDB_PORT", "4001"),
            ("TIDB_USER", "ours"),
            ("TIDB_PASSWORD", "ours"),
            ("TIDB_DB_NAME", "ours"),
        ];
        let theirs = [
            ("DATABASE_HOST", "10.96.0.12"),
            ("DATABASE_PORT", "tcp://10.96.0.12:5432"),
            ("DATABASE_USER", "theirs"),
            ("DATABASE_PASSWORD", "theirs"),
            ("DATABASE_NAME", "theirs"),
            ("DATABASE_ENABLE_SSL", "maybe"),
            ("DATABASE_SSL_CA", "/nowhere"),
            ("DATABASE_URL", "postgres://theirs:theirs@theirs/theirs"),
        ];
        fn subset<'a>(of: &[(&'a str, &'a str)], bits: usize) -> Vec<(&'a str, &'a str)> {
            of.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, pair)| *pair).collect()
        }
        for our in (1..1 << ours.len()).map(|bits| subset(&ours, bits)) {
            let alone = dotenv(&our).config().unwrap();
            for their in (0..1 << theirs.len()).map(|bits| subset(&theirs, bits)) {
                let together = [our.clone(), their.clone()].concat();
                assert_eq!(dotenv(&together).config().unwrap(), alone, "{together:?}");
                let apart = Settings::new().with_variables("the environment", lookup(&their));
                let apart = apart.with_variables(".env", lookup(&our));
                assert_eq!(apart.config().unwrap(), alone, "{our:?} behind {their:?}");
                assert_eq!(apart.names_a_server(), dotenv(&our).names_a_server(), "{our:?} behind {their:?}");
            }
        }
        let flag = Settings::new().with_flag("--host", Setting::Host, Some("flag".into()));
        let config = flag.with_variables("the environment", lookup(&theirs)).config().unwrap();
        assert_eq!(config, ConnectionConfig::new().with_host("flag"));
        assert!(dotenv(&theirs).config().is_err(), "with none of ours, they count");
    }

    #[test]
    fn what_is_no_value_yet_has_a_sentence_of_its_own() {
        let placeholder = |name: &str, value: &str| {
            let said = refusal(dotenv(&[(name, value)]).config());
            assert_eq!(said, format!("{name} in .env is still a placeholder: put your own value in its place"));
        };
        for value in ["{host}", "<host>", "gateway01.<region>.prod.aws.tidbcloud.com", "${HOST}"] {
            placeholder("TIDB_HOST", value);
        }
        for (name, value) in [
            ("TIDB_PORT", "<port>"),
            ("TIDB_USER", "<prefix>.root"),
            ("TIDB_USER", "{user}"),
            ("TIDB_PASSWORD", "<password>"),
            ("TIDB_PASSWORD", "{your_password}"),
            ("TIDB_PASSWORD", "${TIDB_PASSWORD}"),
            ("TIDB_DB_NAME", "{database}"),
            ("CA_PATH", "<path of the CA file>"),
            ("TIDB_DEPLOYMENT", "<deployment>"),
        ] {
            placeholder(name, value);
        }
        for password in ["<a>", "{x}", "p<a>ss", "a{pass}b", "<password", "it's <password>"] {
            assert_eq!(dotenv(&[("TIDB_PASSWORD", password)]).config().unwrap().password().expose(), password);
        }
        for (url, setting) in [
            ("mysql://root@<host>:4000/test", "host"),
            ("mysql://root@{host}/test", "host"),
            ("mysql://root@db:{port}/test", "port"),
            ("mysql://<prefix>.root:x@db", "user"),
            ("mysql://root:<password>@db", "password"),
            ("mysql://root@db/{database}", "database"),
        ] {
            let said = refusal(ConnectionConfig::from_url(url));
            assert!(said.contains(&format!("placeholder for its {setting}")), "{url}: {said}");
        }
    }

    #[test]
    fn a_kept_quote_has_a_sentence_of_its_own() {
        for (name, value) in [
            ("TIDB_HOST", "'db'"),
            ("TIDB_PORT", "\"4000\""),
            ("TIDB_USER", "'root'"),
            ("TIDB_DB_NAME", "`test`"),
            ("USE_SSL", "'true'"),
            ("CA_PATH", "'/etc/ca.pem'"),
        ] {
            let said = refusal(dotenv(&[(name, value)]).config());
            assert!(said.ends_with("the quotes have become part of it: leave them out"), "{said}");
        }
        for (name, value) in [("TIDB_HOST", "'db"), ("TIDB_USER", "root\""), ("TIDB_PORT", "\"4000'")] {
            let said = refusal(dotenv(&[(name, value)]).config());
            assert!(said.ends_with("it has a quote at one end: close it, or leave it out"), "{said}");
        }
        let quoted = dotenv(&[("TIDB_PASSWORD", "'secret'")]).config().unwrap();
        assert_eq!(quoted.password().expose(), "'secret'", "a password may be anything");
        let encoded = ConnectionConfig::from_url("mysql://%27ann%27@db/%22game%22").unwrap();
        assert_eq!((encoded.user(), encoded.database()), ("'ann'", "\"game\""));
    }

    #[test]
    fn a_misspelt_name_is_recognised() {
        let with = |names: &[&str], set: Variables<'_>| {
            dotenv(set).with_names(".env", names.iter().map(|name| (*name).to_owned())).config()
        };
        for (name, meant) in [
            ("TIDB_HOTS", "TIDB_HOST"),
            ("TIDB_HSOT", "TIDB_HOST"),
            ("TIDBHOST", "TIDB_HOST"),
            ("TIDB_PASWORD", "TIDB_PASSWORD"),
            ("TIDB_PASSWROD", "TIDB_PASSWORD"),
            ("tidb_password", "TIDB_PASSWORD"),
            ("TIDB_PASS", "TIDB_PASSWORD"),
            ("TIDB_USERNAME", "TIDB_USER"),
            ("TIDB_DATABSE", "TIDB_DATABASE"),
            ("TIDB_DBNAME", "TIDB_DB_NAME"),
            ("TIDB_DB", "TIDB_DB_NAME"),
            ("TIDB_ENABLE_SLL", "TIDB_ENABLE_SSL"),
            ("TIDB_USE_SSL", "TIDB_ENABLE_SSL"),
            ("TIDB_CAPATH", "TIDB_CA_PATH"),
            ("TIDB_DEPLOYMNT", "TIDB_DEPLOYMENT"),
        ] {
            let said = refusal(with(&[name], &[]));
            assert_eq!(said, format!("{name} in .env is not a setting: did you mean {meant}?"));
        }
        for name in
            ["TIDB_SERVER", "TIDB_JDBC_URL", "TIDB_FAULT_SEED", "TIDB_COMPARE_DOCUMENT", "HOST", "DATABASE_HOTS"]
        {
            assert!(with(&[name], &[]).is_ok(), "{name}");
        }
        assert!(with(&["TIDB_HOTS", "TIDB_HOST"], &[("TIDB_HOST", "db")]).is_ok(), "what is set needs no guess");
    }

    #[test]
    fn javas_urls_are_read() {
        let url = "jdbc:mysql://db:4001/game?user=ann&password=p%40w&useServerPrepStmts=true&cachePrepStmts=true\
                   &rewriteBatchedStatements=true&serverTimezone=UTC&useSSL=true&requireSSL=true";
        let config = ConnectionConfig::from_url(url).unwrap();
        assert_eq!((config.to_string().as_str(), config.password().expose()), ("ann@db:4001/game", "p@w"));
        assert_eq!(config.tls(), TlsMode::Verify);
        for scheme in ["jdbc:mariadb", "jdbc:tidb", "JDBC:MySQL"] {
            assert!(ConnectionConfig::from_url(&format!("{scheme}://db?user=ann")).is_ok(), "{scheme}");
        }
        for refused in [
            "jdbc:postgresql://db/test",
            "jdbc:mysql:loadbalance://db/test",
            "jdbc:mysql://db?verifyServerCertificate=false",
            "jdbc:mysql://db?trustCertificateKeyStoreUrl=file:x",
            "jdbc:mysql://db?sslMode=MAYBE",
            "jdbc:mysql://ann@db?user=bob",
            "mysql://db?cachePrepStmts=true",
        ] {
            let said = refusal(ConnectionConfig::from_url(refused));
            assert!(!said.contains("bob"), "{said}");
        }
    }

    #[test]
    fn what_a_file_does_to_a_password_from_elsewhere_is_said() {
        let environment: Variables<'_> = &[("TIDB_PASSWORD", "canary"), ("TIDB_USER", "ann")];
        let said = |file: Variables<'_>| {
            let settings = Settings::new().with_variables("the environment", lookup(environment));
            settings.with_variables(".env", lookup(file)).notices().unwrap()
        };
        let host = "TIDB_PASSWORD in the environment is used with host = evil (from TIDB_HOST in .env)";
        assert_eq!(said(&[("TIDB_HOST", "evil")]), [host]);
        let tls = "TIDB_PASSWORD in the environment is used with TLS = false (from USE_SSL in .env)";
        assert_eq!(said(&[("USE_SSL", "false")]), [tls]);
        assert_eq!(said(&[("USE_SSL", "true"), ("TIDB_DB_NAME", "game")]), [""; 0]);
        assert_eq!(said(&[]), [""; 0]);
        assert_eq!(dotenv(&[("TIDB_PASSWORD", "canary"), ("TIDB_HOST", "db")]).notices().unwrap(), [""; 0]);
    }

    #[test]
    fn a_value_that_another_beats_is_not_looked_at() {
        let broken: Variables<'_> = &[("TIDB_PORT", "abc"), ("DATABASE_PORT", "4000"), ("CA_PATH", "~/ca.pem")];
        let config = dotenv(&[("TIDB_PORT", "4001"), ("CA_PATH", PEM)]).with_variables("b", lookup(broken)).config();
        assert_eq!(config.unwrap().port(), 4001);
    }

    #[test]
    fn nothing_set_gives_the_defaults() {
        assert_eq!(dotenv(&[]).config().unwrap(), ConnectionConfig::new());
        assert!(dotenv(&[]).found().unwrap().is_empty());
    }

    #[test]
    fn every_name_is_read() {
        let cases: &[(&[&str], &str, ConnectionConfig)] = &[
            (&["TIDB_HOST", "DATABASE_HOST"], " db ", ConnectionConfig::new().with_host("db")),
            (&["TIDB_PORT", "DATABASE_PORT"], "4001 ", ConnectionConfig::new().with_port(4001)),
            (&["TIDB_USER", "DATABASE_USER"], " 3pT.root", ConnectionConfig::new().with_user("3pT.root")),
            (&["TIDB_PASSWORD", "DATABASE_PASSWORD"], " p w ", ConnectionConfig::new().with_password(" p w ")),
            (&["TIDB_DB_NAME", "TIDB_DATABASE", "DATABASE_NAME"], " g ", ConnectionConfig::new().with_database("g")),
            (
                &["TIDB_ENABLE_SSL", "USE_SSL", "DATABASE_ENABLE_SSL"],
                "true ",
                ConnectionConfig::new().with_tls(TlsMode::Verify),
            ),
            (&["CA_PATH", "TIDB_CA_PATH", "DATABASE_SSL_CA"], PEM, ConnectionConfig::new().with_ca_path(PEM)),
            (&["TIDB_DEPLOYMENT"], " Dedicated", ConnectionConfig::new().with_deployment(Deployment::Dedicated)),
            (&["DATABASE_URL"], " mysql://db\n", ConnectionConfig::new().with_host("db")),
        ];
        for (name, value, expected) in cases.iter().flat_map(|(names, v, e)| names.iter().map(move |n| (n, v, e))) {
            assert_eq!(&dotenv(&[(name, value)]).config().unwrap(), expected, "{name}");
        }
        let tested: Vec<_> = cases.iter().flat_map(|(names, ..)| *names).copied().collect();
        assert_eq!(Settings::variables().collect::<Vec<_>>(), tested);
    }

    #[test]
    fn two_names_for_one_setting_must_agree() {
        let said = refusal(dotenv(&[("TIDB_DB_NAME", "a"), ("TIDB_DATABASE", "b")]).config());
        assert_eq!(said, "TIDB_DB_NAME in .env and TIDB_DATABASE in .env contradict each other: keep one");
        let said = refusal(dotenv(&[("USE_SSL", "true"), ("TIDB_ENABLE_SSL", "false")]).config());
        assert!(said.contains("USE_SSL") && said.contains("TIDB_ENABLE_SSL"), "{said}");
        let said = refusal(ConnectionConfig::from_url("mysql://db?useSSL=false&sslMode=VERIFY_IDENTITY"));
        assert_eq!(said, "useSSL of the URL and sslMode of the URL contradict each other: keep one");

        assert_eq!(dotenv(&[("TIDB_HOST", "a"), ("DATABASE_HOST", "a ")]).config().unwrap().host(), "a");
        assert_eq!(dotenv(&[("USE_SSL", "1"), ("TIDB_ENABLE_SSL", "yes")]).config().unwrap().tls(), TlsMode::Verify);
        assert!(dotenv(&[("TIDB_HOST", "a")]).with_variables("b", lookup(&[("DATABASE_HOST", "b")])).config().is_ok());
    }

    #[test]
    fn an_empty_variable_is_unset_or_an_error_that_names_it() {
        for (name, blank) in
            [("TIDB_PASSWORD", ""), ("TIDB_ENABLE_SSL", " "), ("USE_SSL", ""), ("CA_PATH", " "), ("DATABASE_URL", " ")]
        {
            let settings = dotenv(&[(name, blank)]);
            assert_eq!(settings.config().unwrap(), ConnectionConfig::new(), "{name}");
            assert!(settings.found().unwrap().is_empty(), "{name}");
        }
        for name in ["TIDB_HOST", "TIDB_PORT", "TIDB_USER", "TIDB_DB_NAME", "DATABASE_NAME"] {
            for blank in ["", " \t"] {
                let said = refusal(dotenv(&[(name, blank)]).config());
                assert!(said.starts_with(&format!("{name} in .env is empty: ")), "{said}");
            }
        }
    }

    #[test]
    fn a_malformed_value_is_named_as_the_person_wrote_it() {
        let range = "it must be a number from 1 to 65535, usually 4000";
        let host = "it must be the server's name or address alone; the port is a setting of its own";
        for (name, value, why) in [
            ("TIDB_PORT", "abc", range),
            ("DATABASE_PORT", "0", range),
            ("TIDB_PORT", "70000", range),
            ("TIDB_PORT", "-1", range),
            ("TIDB_PORT", "+4000", range),
            ("TIDB_PORT", "4000.0", range),
            ("TIDB_HOST", "db:4000", host),
            ("TIDB_HOST", "d b", host),
            ("TIDB_HOST", "[db]", host),
            ("TIDB_HOST", "[::1]:4000", host),
            ("TIDB_HOST", "db/test", host),
            ("USE_SSL", "maybe", "it must be true or false"),
            ("TIDB_DEPLOYMENT", "cloud", "it must be starter, essential, dedicated or self-managed"),
            ("TIDB_CA_PATH", "~/ca.pem", "write the whole path, because ~ is not expanded here"),
            ("TIDB_CA_PATH", "/nowhere/ca.pem", "it must be a readable PEM file"),
            ("DATABASE_SSL_CA", "/dev/null", "it must be a readable PEM file"),
        ] {
            assert_eq!(refusal(dotenv(&[(name, value)]).config()), format!("{name} in .env is '{value}': {why}"));
        }
        let flag = Settings::new().with_flag("--port", Setting::Port, Some("0".into()));
        assert_eq!(refusal(flag.config()), format!("--port is '0': {range}"));
        let said = refusal(dotenv(&[("TIDB_USER", "ro\not")]).config());
        assert_eq!(said, "TIDB_USER in .env is 'ro\\not': it must not hold control characters");
        for name in ["TIDB_HOST", "TIDB_PORT", "TIDB_USER", "TIDB_DB_NAME", "USE_SSL", "CA_PATH"] {
            let said = refusal(dotenv(&[(name, "mysql://root@db/test")]).config());
            assert_eq!(said, format!("{name} in .env is malformed: only DATABASE_URL may hold a URL"));
        }
    }

    #[test]
    fn what_is_well_formed_is_taken() {
        for (host, expected) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("[fe80::1]", "fe80::1"),
            ("my_db-1.example.org.", "my_db-1.example.org."),
        ] {
            assert_eq!(dotenv(&[("TIDB_HOST", host)]).config().unwrap().host(), expected);
        }
        for (port, expected) in [("1", 1), ("65535", 65535), (" 4000 ", 4000)] {
            assert_eq!(dotenv(&[("TIDB_PORT", port)]).config().unwrap().port(), expected);
        }
        for (words, expected) in [
            (["true", "1", "YES", "Verify"], TlsMode::Verify),
            (["False", "0", "no", "disabled"], TlsMode::Disabled),
            (["automatic", "Automatic", "AUTOMATIC", " automatic"], TlsMode::Automatic),
        ] {
            for word in words {
                assert_eq!(dotenv(&[("TIDB_ENABLE_SSL", word)]).config().unwrap().tls(), expected, "{word}");
            }
        }
    }

    #[test]
    fn a_server_is_named_by_host_port_or_url_only() {
        for (name, value, expected) in [
            ("TIDB_HOST", "db", true),
            ("DATABASE_PORT", "4000", true),
            ("TIDB_PORT", "", true),
            ("DATABASE_URL", "mysql://db", true),
            ("DATABASE_URL", "", false),
            ("TIDB_USER", "root", false),
            ("TIDB_PASSWORD", "pw", false),
            ("TIDB_DB_NAME", "test", false),
        ] {
            assert_eq!(dotenv(&[(name, value)]).names_a_server(), expected, "{name}={value}");
        }
        assert!(Settings::new().with_flag("--host", Setting::Host, Some("db".into())).names_a_server());
        assert!(!Settings::new().with_flag("--host", Setting::Host, None).names_a_server());
    }

    #[test]
    fn a_url_is_taken_apart_and_decoded() {
        let full = ("ann", "p@w", "db", 4001, "game");
        for (url, (user, password, host, port, database)) in [
            ("mysql://ann:p%40w@db:4001/game", full),
            ("MySQL2://ann:p%40w@db:4001/game?", full),
            ("mysql+pymysql://ann:p%40w@db:4001/game?charset=utf8mb4", full),
            ("jdbc:mysql://ann:p%40w@db:4001/game", full),
            ("mysql://db", ("root", "", "db", 4000, "test")),
            ("mysql://db/", ("root", "", "db", 4000, "test")),
            ("mysql://ann@db?ssl=false", ("ann", "", "db", 4000, "test")),
            ("mysql://:pw@db", ("root", "pw", "db", 4000, "test")),
            ("mysql://3pT.root:a:b%2Fc%3F%23%25@db", ("3pT.root", "a:b/c?#%", "db", 4000, "test")),
            ("mysql://%C3%A9@db/caf%C3%A9", ("é", "", "db", 4000, "café")),
            ("mysql://ann:pw@[::1]:4001/game", ("ann", "pw", "::1", 4001, "game")),
            ("mysql://[2001:db8::1]/game", ("root", "", "2001:db8::1", 4000, "game")),
        ] {
            let config: ConnectionConfig = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
            let read = (config.user(), config.password().expose(), config.host(), config.port(), config.database());
            assert_eq!(read, (user, password, host, port, database), "{url}");
        }
    }

    #[test]
    fn the_options_of_the_cloud_console_are_understood() {
        use TlsMode::{Automatic, Disabled, Verify};
        for (query, expected) in [
            ("", Automatic),
            ("sslaccept=strict", Verify),
            ("ssl-mode=DISABLED", Disabled),
            ("sslMode=PREFERRED", Automatic),
            ("ssl_mode=required", Verify),
            ("ssl-mode=VERIFY_CA", Verify),
            ("sslMode=VERIFY_IDENTITY&enabledTLSProtocols=TLSv1.2,TLSv1.3", Verify),
            ("enabledTLSProtocols=TLSv1.2", Automatic),
            ("ssl=true", Verify),
            ("ssl=false", Disabled),
            ("useSSL=TRUE&sslMode=VERIFY_IDENTITY", Verify),
            ("tls=true", Verify),
            ("tls=tidb", Verify),
            ("tls=false", Disabled),
            ("ssl={\"rejectUnauthorized\":true}", Verify),
            ("ssl={\"minVersion\":\"TLSv1.2\", \"rejectUnauthorized\":true}", Verify),
            ("ssl=%7B%22minVersion%22%3A%22TLSv1.2%22%2C%22rejectUnauthorized%22%3Atrue%7D", Verify),
            ("ssl_verify_cert=true&ssl_verify_identity=true", Verify),
            ("charset=UTF8MB4&", Automatic),
        ] {
            let config = ConnectionConfig::from_url(&format!("mysql://db/test?{query}"));
            assert_eq!(config.unwrap_or_else(|error| panic!("{query}: {error}")).tls(), expected, "{query}");
        }
        for key in ["ssl-ca", "sslcert", "ssl_ca", "sslCa"] {
            let config = ConnectionConfig::from_url(&format!("mysql://db?{key}={}", PEM.replace('/', "%2F"))).unwrap();
            assert_eq!(config.ca_path(), Some(PEM.as_ref()), "{key}");
        }
        let settings = dotenv(&[("DATABASE_URL", "mysql://db/?sslaccept=strict")]);
        let found = settings.found().unwrap();
        assert_eq!(found[1].to_string(), "TLS = verify (from sslaccept of DATABASE_URL in .env)");
    }

    #[test]
    fn an_option_that_cannot_be_kept_is_refused_by_name() {
        let mode = "use ssl-mode=VERIFY_IDENTITY for TLS, which always verifies, or ssl-mode=DISABLED";
        for (query, expected) in [
            ("sslaccept=accept_invalid_certs", format!("sslaccept of the URL is 'accept_invalid_certs': {mode}")),
            ("tls=skip-verify", format!("tls of the URL is 'skip-verify': {mode}")),
            ("ssl_verify_cert=false", format!("ssl_verify_cert of the URL is 'false': {mode}")),
            ("ssl={}", format!("ssl of the URL is '{{}}': {mode}")),
            ("ssl={rejectUnauthorized:false}", format!("ssl of the URL is '{{rejectUnauthorized:false}}': {mode}")),
            ("ssl-mode=VERIFY", format!("ssl-mode of the URL is 'VERIFY': {mode}")),
            ("ssl-mode", format!("ssl-mode of the URL is empty: {mode}")),
            (
                "enabledTLSProtocols=TLSv1.1,TLSv1.2",
                "enabledTLSProtocols of the URL is 'TLSv1.1,TLSv1.2': only TLSv1.2 and TLSv1.3 are spoken".into(),
            ),
            ("charset=latin1", "charset of the URL is 'latin1': it must be utf8mb4".into()),
            ("ssl-ca=/nowhere/ca.pem", "ssl-ca of the URL is '/nowhere/ca.pem': it must be a readable PEM file".into()),
            ("pool=5", format!("the URL has the unknown key 'pool': known are {URL_KEYS}")),
            ("ssl-mode=required&sslMode=required", "the URL has 'sslMode' twice: keep one".into()),
            ("charset=utf8mb4&charset=utf8mb4", "the URL has 'charset' twice: keep one".into()),
        ] {
            let said = refusal(ConnectionConfig::from_url(&format!("mysql://root:pw@db/test?{query}")));
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn a_url_that_is_malformed_is_explained_without_being_shown() {
        for (url, why) in [
            ("db:4000", "is no URL"),
            ("root:canary@tcp(db:4000)/test?tls=true", "is no URL"),
            ("root:canary://db", "is no URL"),
            ("mysql://", "has no host"),
            ("mysql:///test", "has no host"),
            ("mysql://root:canary@/test", "has no host"),
            ("mysql://root:canary@tcp(db)/test", "has a malformed host"),
            ("mysql://root:canary@[db]/test", "has a malformed host"),
            ("mysql://root:canary@db:/test", "has a port that is not a number"),
            ("mysql://root:canary@db:abc/test", "has a port that is not a number"),
            ("mysql://root:canary@db:0", "has a port that is not a number"),
            ("mysql://root:canary@db:70000", "has a port that is not a number"),
            ("mysql://::1/test", "has no host"),
            ("mysql://2001:db8::1/test", "has a port that is not a number"),
            ("mysql://root:canary", "has a port that is not a number"),
            ("mysql://root:c@nary@db/test", "has an @ or #"),
            ("mysql://root:canary/x@db/test", "has an @ or #"),
            ("mysql://root:canary?x@db/test", "has an @ or #"),
            ("mysql://root:canary#x@db/test", "has an @ or #"),
            ("mysql://root:1/canary=1@db/test", "has an @ or #"),
            ("mysql://db/test#canary", "has an @ or #"),
            ("mysql://db/test/canary", "has a second /"),
            ("mysql://root:canary%ff@db/test", "has a % that"),
            ("mysql://db?ssl-ca=%ffcanary", "has a % that"),
        ] {
            let said = refusal(dotenv(&[("DATABASE_URL", url)]).config());
            assert!(said.starts_with(&format!("DATABASE_URL in .env {why}")), "{url}: {said}");
            assert!(said.contains("percent-encoded (@ as %40") && said.contains("TIDB_PASSWORD"), "{url}: {said}");
            assert!(!said.contains("canary") && !said.contains("nary"), "{url}: {said}");
        }
        assert!(refusal(ConnectionConfig::from_url("")).starts_with("the URL is no URL"));
        assert_eq!(
            refusal(ConnectionConfig::from_url("postgres://root:canary@db/test")),
            "the URL begins with postgres://, but a URL for TiDB with mysql://"
        );
        let said = refusal(ConnectionConfig::from_url("mysql://ro%00ot@db"));
        assert_eq!(said, "the user of the URL is 'ro\\0ot': it must not hold control characters");
    }

    #[test]
    fn the_password_shows_nowhere_however_badly_it_is_written() {
        let special =
            ["", ":", "/", "@", "?", "#", "[", "]", "%", "%00", "%ff", "&", "=", "://", " ", "\n", "é", "1", "\\"];
        let pairs: Vec<_> = special.iter().flat_map(|a| special.iter().map(move |b| format!("{a}{b}"))).collect();
        for before in &pairs {
            for after in special {
                let password = format!("{before}canary{after}");
                for url in [
                    format!("mysql://root:{password}@db.example.org:4000/test?sslaccept=strict"),
                    format!("root:{password}@db"),
                ] {
                    let output = all_output(&dotenv(&[("DATABASE_URL", &url)]));
                    assert!(!output.contains("canary"), "{url:?}: {output}");
                }
            }
        }
        for name in Settings::variables() {
            for value in ["mysql://root:canary@db/x/", "postgres://root:canary@db/"] {
                let settings = dotenv(&[(name, value), ("TIDB_USER", "ann")]);
                assert!(!all_output(&settings).contains("canary"), "{name}: {}", all_output(&settings));
            }
        }
        for name in ["TIDB_HOST", "TIDB_PORT", "USE_SSL"] {
            assert!(!all_output(&dotenv(&[(name, "root:canary@tcp(db:4000)/test")])).contains("canary"), "{name}");
        }
        let settings = dotenv(&[("TIDB_PASSWORD", "canary")]);
        assert_eq!(settings.found().unwrap()[0].to_string(), "password = *** (from TIDB_PASSWORD in .env)");
        for other in [("TIDB_USER", "<canary>"), ("TIDB_HOST", ""), ("TIDB_PORT", "x"), ("CA_PATH", "~")] {
            let settings = dotenv(&[("TIDB_PASSWORD", "canary"), other]);
            assert!(settings.config().is_err() && !all_output(&settings).contains("canary"), "{other:?}");
        }
    }

    #[test]
    fn no_short_text_makes_it_panic() {
        let alphabet = [":", "/", "@", "?", "#", "[", "]", "%", "&", "=", "a", "é", "{", "\0"];
        let mut texts = vec![String::new()];
        for length in 0..3 {
            let longest: Vec<_> = texts.iter().filter(|text| text.chars().count() == length).cloned().collect();
            texts.extend(longest.iter().flat_map(|text| alphabet.map(|c| format!("{text}{c}"))));
        }
        for text in &texts {
            for form in
                [text.clone(), format!("mysql://{text}"), format!("mysql://db{text}"), format!("mysql://db?ssl={text}")]
            {
                drop(ConnectionConfig::from_url(&form));
            }
            for setting in Setting::ALL {
                drop(Settings::new().with_flag("--flag", setting, Some(text.clone())).config());
            }
        }
    }

    /// Text of what a URL is made of, and of anything.
    fn text() -> impl Strategy<Value = String> {
        let pieces = [
            ":", "/", "@", "?", "#", "[", "]", "%", "%40", "%ff", "%0", "&", "=", "://", "mysql://", "jdbc:", "db",
            "::1", "ssl", "ssl-ca", "charset", "{", "\"", "'", "\\", "$", "~", " ", "\n", "\0", "é", "1", "4000", "-",
            "+", "true",
        ];
        prop_oneof![
            vec(select(pieces.to_vec()), 0..12).prop_map(|pieces| pieces.concat()),
            vec(any::<char>(), 0..12).prop_map(String::from_iter),
        ]
    }

    /// Text that moves what stands beside it to another part of a URL.
    fn around() -> impl Strategy<Value = String> {
        let moving = vec(select(&["1", "/", "@", ":", "?", "#"][..]), 0..4);
        prop_oneof![moving.prop_map(|pieces| pieces.concat()), text()]
    }

    /// A name that a server could have for a user or a database.
    fn name() -> impl Strategy<Value = String> {
        let name = prop_oneof![text(), "[a-zA-Z0-9._-]{1,12}"];
        name.prop_filter("refused as no name", |name| {
            !name.is_empty() && !name.contains(char::is_control) && !name.contains("://")
        })
    }

    /// A setting but the CA file, which must exist, with a value that it can have.
    fn valid() -> impl Strategy<Value = (Setting, String)> {
        prop_oneof![
            "[a-zA-Z0-9._-]{1,12}".prop_map(|host| (Setting::Host, host)),
            (1..=u16::MAX).prop_map(|port| (Setting::Port, port.to_string())),
            name().prop_filter("blank", |name| name.trim() == name).prop_map(|name| (Setting::User, name)),
            text().prop_filter("empty", |text| !text.is_empty()).prop_map(|text| (Setting::Password, text)),
            name().prop_filter("blank", |name| name.trim() == name).prop_map(|name| (Setting::Database, name)),
            select(&["true", "NO", "1", "verify", "automatic"][..]).prop_map(|tls| (Setting::Tls, tls.to_owned())),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_makes_it_panic(texts in vec(proptest::option::of(text()), Settings::variables().count())) {
            let texts: Vec<_> = Settings::variables().zip(texts).collect();
            let lookup = |name: &str| texts.iter().find(|(other, _)| *other == name).and_then(|(_, text)| text.clone());
            let settings = Settings::new().with_variables(".env", lookup);
            drop((settings.config(), settings.found(), settings.names_a_server()));
            for text in texts.iter().filter_map(|(_, text)| text.as_deref()) {
                for url in [text.to_owned(), format!("mysql://{text}"), format!("mysql://db{text}"), format!("mysql://db?{text}")] {
                    drop(ConnectionConfig::from_url(&url));
                }
            }
        }

        #[test]
        fn an_error_names_the_variable(name in select(Settings::variables().collect::<Vec<_>>()), text in text()) {
            for text in [text.clone(), format!("mysql://{text}")] {
                if let Err(error) = dotenv(&[(name, &text)]).config() {
                    prop_assert_eq!(error.kind(), ErrorKind::Config);
                    prop_assert!(error.to_string().contains(name), "{}", error);
                }
            }
        }

        #[test]
        fn what_is_percent_encoded_comes_back_exactly(
            user in name(),
            password in vec(any::<char>(), 1..12).prop_map(String::from_iter),
            host in "[a-zA-Z0-9._-]{1,12}",
            port in 1..=u16::MAX,
            database in name(),
            everything in any::<bool>(),
        ) {
            const ONLY_WHAT_MUST_BE: &AsciiSet =
                &CONTROLS.add(b'%').add(b'/').add(b'?').add(b'#').add(b'@').add(b':').add(b'[').add(b']').add(b' ');
            prop_assume!(everything || !(is_placeholder(Setting::User, &user) || is_placeholder(Setting::Database, &database)));
            prop_assume!(everything || !is_placeholder(Setting::Password, &password));
            let encoded = |text| utf8_percent_encode(text, if everything { NON_ALPHANUMERIC } else { ONLY_WHAT_MUST_BE });
            let url =
                format!("mysql://{}:{}@{host}:{port}/{}", encoded(&user), encoded(&password), encoded(&database));
            let config = ConnectionConfig::from_url(&url).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let expected = ConnectionConfig::new().with_host(host).with_port(port);
            prop_assert_eq!(config, expected.with_user(user).with_password(password).with_database(database));
        }

        #[test]
        fn the_first_source_wins_whatever_the_others_hold(
            (setting, value) in valid(),
            source in 0..3usize,
            lower in vec(proptest::option::of(text()), 2),
            variable in any::<prop::sample::Index>(),
        ) {
            prop_assume!(kept_quote(&value).is_none() && !is_placeholder(setting, &value));
            let values: Vec<_> = vec![None; source].into_iter().chain([Some(value.clone())]).chain(lower).collect();
            let variable = variable.get(setting.variables());
            let origins = ["--flag".to_owned(), format!("{variable} in the environment"), format!("{variable} in .env")];
            let among = |text: &Option<String>| {
                let text = text.clone();
                move |name: &str| text.clone().filter(|_| name == *variable)
            };
            let settings = Settings::new()
                .with_flag("--flag", setting, values[0].clone())
                .with_variables("the environment", among(&values[1]))
                .with_variables(".env", among(&values[2]));
            let found = settings.found().map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!((found[0].setting(), found[0].origin()), (setting, &*origins[source]));
            prop_assert_eq!(found[0].value.expose(), value);
        }

        #[test]
        fn a_port_is_a_number_from_1_to_65535(
            text in prop_oneof![
                (any::<u32>(), 0..32u32).prop_map(|(number, bits)| (number >> bits).to_string()),
                "[ \t]{0,2}[+-]?0{0,3}[0-9]{0,6}[.a]?[ \t]{0,2}",
                text(),
            ],
        ) {
            let number = text.trim().chars().try_fold(0u32, |number, c| {
                Some(number.saturating_mul(10).saturating_add(c.to_digit(10)?))
            });
            let expected = number.filter(|number| (1..=65_535).contains(number));
            let port = dotenv(&[("TIDB_PORT", &text)]).config().ok().map(|config| config.port().into());
            prop_assert_eq!(port, expected);
        }

        #[test]
        fn the_password_shows_nowhere_whatever_stands_around_it(
            (before, after) in (around(), around()),
            encoded in any::<bool>(),
            other in (select(Settings::variables().collect::<Vec<_>>()), text()),
        ) {
            let password = format!("{before}canary{after}");
            let in_url = if encoded { utf8_percent_encode(&password, NON_ALPHANUMERIC).to_string() } else { password.clone() };
            let url = format!("mysql://root:{in_url}@db.example.org:4000/test?sslaccept=strict");
            // Without `://` it could be a user's name, which is shown.
            let no_name = ["DATABASE_URL", "TIDB_HOST", "TIDB_PORT", "USE_SSL"];
            for (url, names) in [
                (url, Settings::variables().filter(|name| !name.contains("PASSWORD")).collect()),
                (format!("root:{in_url}@db"), no_name.to_vec()),
                (format!("root:{in_url}@tcp(db:4000)/test"), no_name.to_vec()),
            ] {
                for name in names {
                    let output = all_output(&dotenv(&[(name, &url), (other.0, &other.1)]));
                    prop_assert!(!output.contains("canary"), "{} is {:?}: {}", name, url, output);
                }
            }
            for name in ["TIDB_PASSWORD", "DATABASE_PASSWORD"] {
                let output = all_output(&dotenv(&[(name, &password), (other.0, &other.1)]));
                prop_assert!(!output.contains("canary"), "{}: {}", name, output);
            }
        }
    }

    /// The environment of a process cannot safely be changed from within, so this test starts itself again in another.
    #[cfg(unix)]
    #[test]
    fn the_environment_of_the_process_is_read() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt, process::Command};

        const EXPECTED: &str = "EXPECTED_BY_SETTINGS_TEST";
        if let Ok(expected) = env::var(EXPECTED) {
            let said = ConnectionConfig::from_env().map_or_else(|e| e.to_string(), |config| config.to_string());
            assert_eq!(said, expected);
            return;
        }
        for (name, value, expected) in [
            ("TIDB_HOST", &b"db"[..], "root@db:4000/test"),
            ("DATABASE_URL", b"mysql://ann@db/game", "ann@db:4000/game"),
            (
                "TIDB_PORT",
                b"abc",
                "TIDB_PORT in the environment is 'abc': it must be a number from 1 to 65535, usually 4000",
            ),
            ("TIDB_PASSWORD", b"caf\xe9", "TIDB_PASSWORD in the environment is not valid UTF-8: set it again"),
        ] {
            let child = Command::new(env::current_exe().unwrap())
                .args(["--exact", "connection::settings::tests::the_environment_of_the_process_is_read"])
                .env_clear()
                .env(EXPECTED, expected)
                .env(name, OsStr::from_bytes(value))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success() && said.contains("1 passed"), "{name}: {said}");
        }
    }

    #[doc = "This very file, for the block below: that it is PEM is all that is checked without a server.
-----BEGIN CERTIFICATE-----
dGhlIHNldHRpbmdzIG9ubHkgbG9vayBmb3IgUEVN
-----END CERTIFICATE-----
"]
    const PEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/connection/settings.rs");
}
