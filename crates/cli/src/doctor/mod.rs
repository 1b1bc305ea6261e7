//! Why a connection fails, or what to mind where it does not: the way to the server, step by step, as a person would go
//! it.

mod network;
mod report;
mod session;
mod tls;

use std::time::Duration;

use indicatif::ProgressBar;
use tidb_connect_core::{ConnectionConfig, Deployment, Error, ErrorKind, Fault, Settings, TlsFault, TlsMode};
use tidb_connect_wire::Greeting;
use time::OffsetDateTime;

use self::{
    network::Reached,
    report::{Check, Stage, Verdict},
};
use crate::{driver::Driver, failure::causes};

pub(crate) use report::Report;

/// In errors of the doctor's own, where a driver's name stands in others.
const DOCTOR: &str = "doctor";

/// A certificate that ends earlier is worth a warning.
const DAYS_TO_RENEW: i64 = 14;

/// Logs in where no driver is asked for: the one whose connection shows both its ends.
const USUAL_DRIVER: Driver = Driver::Mysql;

/// What there is no going on after: the cross is in the report.
pub(crate) struct Crossed;

/// Goes to the server that `settings` name, through `driver` where one is given, and stops at the first cross.
/// `privileges` are what the user should have.
pub(crate) async fn examine(settings: &Settings, driver: Option<Driver>, privileges: &[&str]) -> Report {
    let mut doctor = Doctor::new(driver);
    let Ok(config) = doctor.settings(settings) else { return doctor.report };
    // The cross is what the report is about.
    let _ = doctor.go(&config, privileges).await;
    if let Some(driver) = driver {
        doctor.ask_driver(driver, &config).await;
    }
    doctor.progress.finish_and_clear();
    doctor.report
}

/// The report on settings that cannot even be read.
pub(crate) fn unreadable(driver: Option<Driver>, error: &Error) -> Report {
    let mut doctor = Doctor::new(driver);
    doctor.cross(Stage::Settings, error);
    doctor.report
}

/// The greeting of the server, when the way to it is clear, of which the doctor sees more than a driver does; else what is
/// to be said of it.
pub(crate) async fn reach(config: &ConnectionConfig) -> Result<Greeting, String> {
    let mut doctor = Doctor::new(None);
    match doctor.reach(config).await {
        Ok((_, greeting)) => Ok(greeting),
        Err(Crossed) => Err(doctor.report.checks.pop().and_then(|check| check.advice).unwrap_or_default()),
    }
}

/// What is to be said of a login that failed with `error` after a `greeting`: more than a driver says, which does not
/// tell how far it came.
pub(crate) fn login_sentence(config: &ConnectionConfig, error: &Error) -> String {
    let server = network::server(config);
    match error.kind() {
        ErrorKind::Protocol => format!(
            "{server} greets like a MySQL server and then breaks off the login: look at its log, and at that of a proxy \
             in between"
        ),
        ErrorKind::TimedOut => {
            let why = match config.deployment() {
                Deployment::Starter => "a cluster that sleeps needs some seconds to wake, so try again",
                _ => {
                    "it is starting, overloaded, or a proxy without a server behind it, so try again and look at its log"
                }
            };
            let limit = config.connect_timeout().as_secs_f32();
            format!("{server} greets like a MySQL server, but did not let anybody in within {limit} s: {why}")
        }
        _ => error.to_string(),
    }
}

struct Doctor {
    report: Report,
    progress: ProgressBar,
}

impl Doctor {
    fn new(driver: Option<Driver>) -> Self {
        Self { report: Report::new(driver.unwrap_or(USUAL_DRIVER)), progress: ProgressBar::new_spinner() }
    }

    /// Says what is being looked at, where somebody sees it.
    fn begin(&mut self, stage: Stage) {
        self.progress.set_message(stage.name());
        self.progress.enable_steady_tick(Duration::from_millis(100));
    }

    fn add(&mut self, check: Check) {
        self.report.checks.push(check);
    }

    /// The cross for `error` at `stage`.
    fn cross(&mut self, stage: Stage, error: &Error) -> Crossed {
        self.cross_with(stage, error, error.to_string())
    }

    /// The cross for `error` at `stage`, of which there is more to be said than it says itself.
    fn cross_with(&mut self, stage: Stage, error: &Error, advice: String) -> Crossed {
        // A sentence says what is wrong, and behind a colon what to do.
        let found = advice.split_once(": ").map_or(advice.as_str(), |(what, _)| what).to_owned();
        let details = causes(error);
        self.add(Check { stage, verdict: Verdict::Failed, found, advice: Some(advice), details });
        Crossed
    }

    fn settings(&mut self, settings: &Settings) -> Result<ConnectionConfig, Crossed> {
        let (config, found) = match settings.config().and_then(|config| {
            config.validate()?;
            Ok((config, settings.found()?))
        }) {
            Ok(read) => read,
            Err(error) => return Err(self.cross(Stage::Settings, &error)),
        };
        self.report.server = Some(config.to_string());
        let deployment = format!("{config} ({})", config.deployment());
        let mut check = Check::passed(Stage::Settings, deployment);
        check.details = found.iter().map(ToString::to_string).collect();
        if found.is_empty() {
            check.details.push("nothing is set: these are the defaults".into());
        }
        self.add(check);
        if let Some(advice) = doubt(&config) {
            self.add(Check::warning(Stage::Settings, "a setting is probably wrong", advice));
        }
        Ok(config)
    }

    async fn go(&mut self, config: &ConnectionConfig, privileges: &[&str]) -> Result<(), Crossed> {
        let (reached, greeting) = self.reach(config).await?;
        let local = reached.stream.local_addr().ok();
        self.encrypt(config, reached, greeting.offers_tls()).await?;
        let mut session = self.log_in(config).await?;
        session::look(self, config, &mut session, privileges, &greeting, local).await
    }

    /// Name, TCP and greeting.
    async fn reach(&mut self, config: &ConnectionConfig) -> Result<(Reached, Greeting), Crossed> {
        let host = config.host();
        self.begin(Stage::Name);
        let addresses = network::resolve(config).await.map_err(|error| self.cross(Stage::Name, &error))?;
        let listed = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let found = if listed == host { format!("{host} is an address") } else { format!("{host} is {listed}") };
        self.add(Check::passed(Stage::Name, found));

        self.begin(Stage::Tcp);
        let reached = network::reach(config, &addresses).await;
        let mut reached = reached.map_err(|error| self.cross(Stage::Tcp, &error))?;
        let (address, port) = (reached.address, config.port());
        match reached.passed_over.first() {
            None => self.add(Check::passed(Stage::Tcp, format!("{address} takes connections on port {port}"))),
            Some((first, error)) => {
                let found = format!("{address} takes connections on port {port}, {first} does not: {error}");
                let advice = format!(
                    "{host} means {first} first, which every connection tries in vain, and the mysql driver with TLS \
                     tries no other: set TIDB_HOST={address}, or to a name that means only that"
                );
                self.add(Check::warning(Stage::Tcp, found, advice));
            }
        }

        self.begin(Stage::Greeting);
        let greeting = network::greet(config, &mut reached.stream).await;
        let greeting = greeting.map_err(|error| self.cross(Stage::Greeting, &error))?;
        let version = &greeting.version;
        let tls = if greeting.offers_tls() { "offers TLS" } else { "offers no TLS" };
        self.add(match Product::of(version) {
            Product::TiDb => Check::passed(Stage::Greeting, format!("{version}, {tls}")),
            other => Check::warning(
                Stage::Greeting,
                format!("{version}, {tls}"),
                format!(
                    "this is {}, not TiDB: it speaks the same protocol, but behaves differently in places; if you meant \
                     a TiDB, check TIDB_HOST and TIDB_PORT (TiDB's own port is 4000)",
                    other.name()
                ),
            ),
        });
        Ok((reached, greeting))
    }

    async fn encrypt(&mut self, config: &ConnectionConfig, reached: Reached, offered: bool) -> Result<(), Crossed> {
        self.begin(Stage::Tls);
        if !config.uses_tls() {
            let check = if reached.address.is_loopback() {
                Check::passed(Stage::Tls, "not used, since the server is on this machine")
            } else {
                let advice = if offered {
                    "everything travels in the clear, though the server offers TLS: set TIDB_ENABLE_SSL=true, and \
                     CA_PATH where the server has a CA of its own"
                } else {
                    "everything travels in the clear: enable TLS on the server, then set TIDB_ENABLE_SSL=true"
                };
                Check::warning(Stage::Tls, "not used", advice)
            };
            self.add(check);
            return Ok(());
        }
        if !offered {
            let fault = Fault::Tls(TlsFault::NotOffered);
            let error = config.connect_error(DOCTOR, fault, "the greeting does not have the capability CLIENT_SSL");
            return Err(self.cross(Stage::Tls, &error));
        }
        let (version, certificate) = tls::encrypt(config, reached.stream).await;
        let today = OffsetDateTime::now_utc().date();
        match version {
            Ok(version) => {
                let days = certificate.as_ref().map(tls::Certificate::days_left);
                let found = format!("{version}, and the certificate is valid for {}", config.host());
                let mut check = match days {
                    Some(days) if days < DAYS_TO_RENEW => Check::warning(
                        Stage::Tls,
                        found,
                        format!("the certificate ends in {days} days: have it renewed before that"),
                    ),
                    _ => Check::passed(Stage::Tls, found),
                };
                check.details.extend(certificate.map(|certificate| format!("the certificate is {certificate}")));
                self.add(check);
                Ok(())
            }
            Err(error) => {
                let crossed = self.cross(Stage::Tls, &error);
                if let (Some(check), Some(certificate)) = (self.report.checks.last_mut(), certificate) {
                    check.details.push(format!("the certificate is {certificate}"));
                    if certificate.is_self_made() {
                        check.details.push(
                            "TiDB makes it itself at each start (auto-tls), so that nobody can verify it: give the \
                             server one of a CA (ssl-cert, ssl-key)"
                                .to_owned(),
                        );
                    }
                    if !(certificate.begin..=certificate.end).contains(&today) {
                        check.details.push(format!("this machine's clock says {today}"));
                    }
                }
                Err(crossed)
            }
        }
    }

    /// What `driver` makes of a server that it was not asked about, because the way to it ended before the login.
    async fn ask_driver(&mut self, driver: Driver, config: &ConnectionConfig) {
        let Some(check) = self.report.checks.last_mut() else { return };
        if check.verdict != Verdict::Failed || check.stage >= Stage::Login {
            return;
        }
        let name = driver.name();
        check.details.push(match driver.log_in(config).await {
            Ok(_) => format!("{name} connects all the same"),
            Err(error) => {
                format!("{name} says: {}", causes(&error).first().map_or_else(|| error.to_string(), Clone::clone))
            }
        });
    }
}

/// What looks wrong before anything has been tried. Sources: the TiDB Cloud documentation, select-cluster-tier
/// (user-name-prefix) and secure-connections-to-serverless-clusters.
fn doubt(config: &ConnectionConfig) -> Option<String> {
    let user = config.user();
    if config.deployment() == Deployment::Starter && config.tls() == TlsMode::Disabled {
        return Some(
            "TLS is off, and TiDB Cloud Starter and Essential refuse connections without it on their public endpoints: \
             remove TIDB_ENABLE_SSL"
                .into(),
        );
    }
    if config.deployment() == Deployment::Starter && !user.contains('.') {
        return Some(format!(
            "the user '{user}' has no prefix: on TiDB Cloud Starter and Essential it is <prefix>.{user}, as the \
             cluster's Connect dialog shows it; only an endpoint of an instance's own may need none"
        ));
    }
    None
}

/// What a version says of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Product {
    TiDb,
    MariaDb,
    ProxySql,
    MySql,
}

impl Product {
    fn of(version: &str) -> Self {
        match version.to_ascii_lowercase() {
            version if version.contains("tidb") => Self::TiDb,
            version if version.contains("mariadb") => Self::MariaDb,
            version if version.contains("proxysql") => Self::ProxySql,
            _ => Self::MySql,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::TiDb => "TiDB",
            Self::MariaDb => "MariaDB",
            Self::ProxySql => "ProxySQL",
            Self::MySql => "MySQL",
        }
    }
}

impl Stage {
    /// Where a login that failed with `kind` belongs.
    fn of_login(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Config => Self::Settings,
            ErrorKind::Tls => Self::Tls,
            ErrorKind::UnknownDatabase | ErrorKind::PermissionDenied => Self::Database,
            _ => Self::Login,
        }
    }
}
