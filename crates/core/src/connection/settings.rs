//! A configuration put together from flags, the environment and `.env`, each value knowing where it came from.

use std::{env, fmt, net::Ipv6Addr, str::FromStr};

use percent_encoding::percent_decode_str;

use super::{ConnectionConfig, Deployment, Password, TlsMode};
use crate::{Error, ErrorKind, Result};

const URL: &str = "DATABASE_URL";
const URL_KEYS: &str = "ssl-mode, sslaccept, ssl, tls, useSSL, ssl_verify_cert, ssl_verify_identity, ssl-ca, sslcert, \
                        enabledTLSProtocols, charset";

/// What was found in flags, variables and URLs, before it becomes a [`ConnectionConfig`].
///
/// A flag beats the environment, which beats `.env`; within one of them, a variable of its own, such as `TIDB_HOST`,
/// beats the same part of `DATABASE_URL`. To get that order add them in that order: what is added first wins.
/// Only values that win are checked, so that a flag can replace a malformed variable.
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
/// All values but the password are trimmed.
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
    /// Hidden like a password, because people do put a whole URL into the wrong variable.
    value: Password,
}

/// What belongs together: a flag, the environment, one `.env`.
#[derive(Clone, Debug)]
struct Source {
    values: Vec<FoundSetting>,
    url: Option<ConnectionUrl>,
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
        let value = value.and_then(|value| FoundSetting::new(setting, flag.to_owned(), value));
        self.sources.push(Source { values: value.into_iter().collect(), url: None });
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
        Ok(self.with_variables(source, |name| env::var(name).ok()))
    }

    /// Adds the variables that `lookup` knows, below what was added before; errors call them `TIDB_HOST in <source>`.
    #[must_use]
    pub fn with_variables(mut self, source: &str, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let origin = |name: &str| format!("{name} in {source}");
        let mut values = Vec::new();
        for setting in Setting::ALL {
            for name in setting.variables() {
                values.extend(lookup(name).and_then(|value| FoundSetting::new(setting, origin(name), value)));
            }
        }
        let url = lookup(URL).filter(|text| !text.trim().is_empty());
        let url = url.map(|text| ConnectionUrl { origin: origin(URL), text: text.into() });
        self.sources.push(Source { values, url });
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
        self.sources.iter().any(|source| {
            let named = |value: &FoundSetting| matches!(value.setting, Setting::Host | Setting::Port);
            source.url.is_some() || source.values.iter().any(named)
        })
    }

    fn resolve(&self) -> Result<(ConnectionConfig, Vec<FoundSetting>)> {
        let (mut config, mut found) = (ConnectionConfig::new(), Vec::new());
        for setting in Setting::ALL {
            let first = self.sources.iter().find_map(|source| source.find(setting).transpose());
            if let Some(value) = first.transpose()? {
                config = value.apply(config)?;
                found.push(value);
            }
        }
        Ok((config, found))
    }
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
    /// (SQLAlchemy) and `jdbc:mysql` are read the same. Query keys are those of the connection strings in the TiDB
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
    /// | `ssl_verify_cert`, `ssl_verify_identity` | `true` | [`TlsMode::Verify`] |
    /// | `ssl-ca`, `sslcert` | a path | the CA file |
    /// | `enabledTLSProtocols` | `TLSv1.2`, `TLSv1.3` or both | nothing: there is no lower |
    /// | `charset` | `utf8mb4` | nothing: there is no other |
    ///
    /// # Errors
    /// [`ErrorKind::Config`], which never repeats the URL, when it is malformed, has an unknown key or one key twice,
    /// asks for TLS without verification, contradicts itself, or names a CA file that cannot be used.
    pub fn from_url(url: &str) -> Result<Self> {
        let url = ConnectionUrl { origin: "the URL".into(), text: url.into() };
        Settings { sources: vec![Source { values: Vec::new(), url: Some(url) }] }.config()
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

impl Source {
    fn find(&self, setting: Setting) -> Result<Option<FoundSetting>> {
        match (find_agreed(&self.values, setting)?, &self.url) {
            (None, Some(url)) => find_agreed(&url.parse()?, setting),
            (own, _) => Ok(own),
        }
    }
}

/// The value of `setting`, when all that `values` say about it means the same.
fn find_agreed(values: &[FoundSetting], setting: Setting) -> Result<Option<FoundSetting>> {
    let mut values = values.iter().filter(|value| value.setting == setting);
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
    fn new(setting: Setting, origin: String, value: String) -> Option<Self> {
        let value = if setting == Setting::Password { value } else { value.trim().to_owned() };
        let unset = value.is_empty() && setting.empty_is_unset();
        (!unset).then(|| Self { setting, origin, value: value.into() })
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
        if !is_password && value.contains("://") {
            return Err(wrong("only DATABASE_URL may hold a URL"));
        }
        if !is_password && value.contains(char::is_control) {
            return Err(wrong("it must not hold control characters"));
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
        ("ssl" | "tls" | "usessl" | "sslverifycert" | "sslverifyidentity", "true")
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
        self.check_scheme(scheme)?;
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
        self.parse_query(query, &mut parts)?;
        Ok(parts)
    }

    fn part(&self, setting: Setting, value: String) -> FoundSetting {
        FoundSetting { setting, origin: format!("the {setting} of {}", self.origin), value: value.into() }
    }

    fn check_scheme(&self, scheme: &str) -> Result<()> {
        let name = scheme.to_ascii_lowercase();
        let name = name.strip_prefix("jdbc:").unwrap_or(&name);
        if name == "mysql" || name == "mysql2" || name.starts_with("mysql+") {
            return Ok(());
        }
        // Behind jdbc: may also stand a password whose user is called that.
        let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if scheme.bytes().all(is_scheme) {
            let origin = &self.origin;
            return Err(config_error(format!("{origin} begins with {name}://, but a URL for TiDB with mysql://")));
        }
        Err(self.unreadable("is no URL"))
    }

    fn parse_query(&self, query: &str, parts: &mut Vec<FoundSetting>) -> Result<()> {
        let mut seen = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (self.decode(key)?, self.decode(value)?);
            let name = key.to_ascii_lowercase().replace(['-', '_'], "");
            let origin = format!("{key} of {}", self.origin);
            let wrong = |problem| Err(malformed(&origin, &value, problem));
            match name.as_str() {
                "sslca" | "sslcert" => {
                    parts.push(FoundSetting { setting: Setting::CaPath, origin, value: value.into() });
                }
                "sslmode" | "sslaccept" | "ssl" | "tls" | "usessl" | "sslverifycert" | "sslverifyidentity" => {
                    let Some(mode) = parse_tls_option(&name, &value) else {
                        return wrong(
                            "use ssl-mode=VERIFY_IDENTITY for TLS, which always verifies, or ssl-mode=DISABLED",
                        );
                    };
                    parts.push(FoundSetting { setting: Setting::Tls, origin, value: mode.into() });
                }
                "enabledtlsprotocols" if value.split(',').all(|version| matches!(version, "TLSv1.2" | "TLSv1.3")) => {}
                "enabledtlsprotocols" => return wrong("only TLSv1.2 and TLSv1.3 are spoken"),
                "charset" if value.eq_ignore_ascii_case("utf8mb4") => {}
                "charset" => return wrong("it must be utf8mb4"),
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
            (None, &[url], &[("TIDB_HOST", "dotenv")], "host = url (from the host of DATABASE_URL in the environment)"),
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
        let settings = Settings::new()
            .with_flag("--port", Setting::Port, Some("4001".into()))
            .with_variables(
                "the environment",
                lookup(&[("DATABASE_URL", "mysql://ann:pw@db:4002"), ("TIDB_USER", "bob")]),
            )
            .with_variables(".env", lookup(&[("TIDB_HOST", "other"), ("TIDB_DB_NAME", "game"), ("USE_SSL", "no")]));
        let config = settings.config().unwrap();
        assert_eq!(config.to_string(), "bob@db:4001/game");
        assert_eq!((config.password().expose(), config.tls()), ("pw", TlsMode::Disabled));
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
        let said = refusal(dotenv(&[("TIDB_HOST", "a"), ("DATABASE_HOST", "b")]).config());
        assert_eq!(said, "TIDB_HOST in .env and DATABASE_HOST in .env contradict each other: keep one");
        let said = refusal(dotenv(&[("TIDB_DB_NAME", "a"), ("TIDB_DATABASE", "a"), ("DATABASE_NAME", "b")]).config());
        assert!(said.contains("TIDB_DB_NAME") && said.contains("DATABASE_NAME"), "{said}");
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
        for other in [("DATABASE_PASSWORD", "canary2"), ("TIDB_HOST", ""), ("TIDB_PORT", "x"), ("CA_PATH", "~")] {
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
