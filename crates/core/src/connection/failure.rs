//! Why a connection could not be opened, in the words of the settings that a person can change.

use super::{ConnectionConfig, Deployment};
use crate::{BoxError, Error, ErrorKind, Fault, Outcome, Phase, ServerError, TlsFault};

impl ConnectionConfig {
    /// The error for a connection with this configuration that `driver` could not open.
    ///
    /// The same `fault` gives the same sentence whichever driver met it; `source` is kept as the cause.
    pub fn connect_error(&self, driver: &'static str, fault: Fault, source: impl Into<BoxError>) -> Error {
        // Whether the peer is no MySQL server or broke off cannot be told: what one driver takes for a packet too large,
        // or out of order, is to the next a connection that ended too soon.
        let fault = match fault {
            Fault::Lost | Fault::TooLarge => Fault::Protocol,
            fault => fault,
        };
        let (kind, outcome, message) = self.explain(&fault);
        let error = Error::new(kind, message).with_outcome(outcome).with_driver(driver).with_source(source);
        match fault {
            Fault::Server(server) => error.with_server(server),
            _ => error,
        }
    }

    /// The error for a connection that was not open within the [connect time-out](Self::connect_timeout).
    pub fn connect_timed_out(&self, driver: &'static str) -> Error {
        let cause = std::io::Error::from(std::io::ErrorKind::TimedOut);
        self.connect_error(driver, Fault::TimedOut, cause)
    }

    fn explain(&self, fault: &Fault) -> (ErrorKind, Outcome, String) {
        let (host, server) = (self.host(), self.address());
        let (kind, outcome) = match fault {
            Fault::Protocol => (ErrorKind::Protocol, Outcome::Retryable),
            fault => fault.classify(Phase::Connect),
        };
        let message = match (kind, fault) {
            (_, Fault::Refused) => {
                format!("nobody listens on {server}: start the server, or set TIDB_HOST and TIDB_PORT to where it runs")
            }
            (_, Fault::NoSuchHost) => format!("the host name {host} has no address: check TIDB_HOST"),
            (_, Fault::NoRoute) => format!("the network does not lead to {server}: check TIDB_HOST and your network"),
            (_, Fault::TimedOut) => {
                let wait = self.connect_timeout().min(self.pool().acquire_timeout()).as_secs_f32();
                format!("{server} did not answer within {wait} s: {}", self.silence())
            }
            (_, Fault::Protocol) => {
                format!(
                    "{server} does not answer like a MySQL server, or broke off: \
                     set TIDB_PORT to the server's MySQL port, usually 4000"
                )
            }
            (_, Fault::Tls(fault)) => self.explain_tls(*fault, &server),
            (ErrorKind::Tls, _) => self.explain_tls(TlsFault::Demanded, &server),
            (_, Fault::LoginMethod) => {
                let user = self.user();
                format!(
                    "{server} wants user '{user}' to log in by a method that the driver does not use: have the account \
                     changed to mysql_native_password or caching_sha2_password"
                )
            }
            (ErrorKind::AccessDenied, fault) => self.explain_refused_login(fault, &server),
            (ErrorKind::UnknownDatabase | ErrorKind::PermissionDenied, _) => {
                let database = self.database();
                format!(
                    "the database '{database}' does not exist on {server}, or the user may not use it: check TIDB_DB_NAME"
                )
            }
            (ErrorKind::TooManyConnections, Fault::Server(ServerError { code: 1129, .. })) => {
                format!("{server} has blocked this machine after too many broken logins: run FLUSH HOSTS there")
            }
            (ErrorKind::TooManyConnections, _) => {
                format!("{server} accepts no further connection: close others, or raise the server's limit")
            }
            (ErrorKind::LimitExceeded, _) => {
                format!(
                    "{server} refuses connections until its usage quota is raised or renewed: see the TiDB Cloud console"
                )
            }
            (ErrorKind::Unavailable, Fault::Server(ServerError { code: 1053, .. })) => {
                format!("{server} is shutting down: connect to another node, or wait")
            }
            (ErrorKind::Unavailable, _) => format!("{server} is busy or starting: wait a little and try again"),
            (_, Fault::Server(error)) => format!("{server} refused the connection with error {}", error.code),
            _ => format!("the driver could not connect to {server}"),
        };
        (kind, outcome, message)
    }

    fn explain_refused_login(&self, fault: &Fault, server: &str) -> String {
        let user = self.user();
        let (code, text) = match fault {
            Fault::Server(ServerError { code, message, .. }) => (*code, message.as_str()),
            _ => (0, ""),
        };
        match code {
            1130 => format!("{server} lets nobody in from this machine's address: allow it there for user '{user}'"),
            3118 | 4151 => {
                format!("{server} has locked the account of user '{user}': have it unlocked with ALTER USER")
            }
            3955 => {
                format!("{server} has blocked user '{user}' after too many wrong passwords: wait, or have it unlocked")
            }
            1820 | 1862 => {
                format!(
                    "the password of user '{user}' on {server} has expired: log in with another client and change it"
                )
            }
            _ if text.contains("Missing user name prefix") => format!(
                "{server} needs your cluster's prefix before the user name '{user}': \
                 set TIDB_USER to <prefix>.{user}, as the Connect dialog of the TiDB Cloud console shows it"
            ),
            // Only the gateway of TiDB Cloud refers to this page.
            _ if text.contains("user-name-prefix") => format!(
                "{server} refused user '{user}' or the password: check TIDB_PASSWORD, and that the prefix in TIDB_USER \
                 is that of this very cluster, as its Connect dialog shows it"
            ),
            _ => {
                let prefix = match self.deployment() {
                    Deployment::Starter if !user.contains('.') => "; on TiDB Cloud Starter the user is <prefix>.root",
                    _ => "",
                };
                let tls = match (self.uses_tls(), self.deployment()) {
                    (false, _) => {
                        "; TLS is off, and a server or user that demands it refuses in the same way, as does TiDB with \
                         caching_sha2_password: set TIDB_ENABLE_SSL=true"
                    }
                    (true, Deployment::SelfManaged) => {
                        "; an account that demands a certificate of the client's (REQUIRE X509) is refused in the same \
                         way, and none can be given yet"
                    }
                    (true, Deployment::Starter | Deployment::Dedicated) => "",
                };
                let password = self.password().expose();
                let quoted = ['\'', '"']
                    .iter()
                    .any(|&quote| password.len() > 1 && password.starts_with(quote) && password.ends_with(quote));
                let quotes = if quoted {
                    "; the password begins and ends with a quote, which `docker run --env-file` keeps: leave them out"
                } else {
                    ""
                };
                format!(
                    "{server} refused user '{user}' or the password: check TIDB_USER and \
                     TIDB_PASSWORD{prefix}{tls}{quotes}"
                )
            }
        }
    }

    fn silence(&self) -> &'static str {
        match self.deployment() {
            Deployment::Starter => {
                "a cluster that sleeps needs some seconds to wake, so try again; else check TIDB_PORT"
            }
            Deployment::Dedicated => "add this machine's address to the cluster's IP access list, and check TIDB_PORT",
            Deployment::SelfManaged => "check TIDB_HOST and TIDB_PORT, and the firewall between",
        }
    }

    fn explain_tls(&self, fault: TlsFault, server: &str) -> String {
        match fault {
            TlsFault::UnknownAuthority => {
                let missing = match (self.ca_path().is_some(), self.deployment()) {
                    (true, _) => "CA_PATH must be the CA of this very cluster",
                    (false, Deployment::Dedicated) => {
                        "TiDB Cloud Dedicated has its own CA: download it in the Connect dialog and set CA_PATH to it"
                    }
                    (false, Deployment::Starter) => {
                        "TiDB Cloud's own is known everywhere, so look for a proxy in between that answers in its place"
                    }
                    (false, Deployment::SelfManaged) => "set CA_PATH to the server's CA certificate",
                };
                format!("the certificate of {server} is signed by an authority that is not trusted: {missing}")
            }
            TlsFault::WrongName => {
                let host = self.host();
                format!("the certificate of {server} is not for '{host}': set TIDB_HOST to a name that it holds")
            }
            TlsFault::NoName => format!(
                "the certificate of {server} has no subject alternative name, and its common name does not count: have it \
                 issued again with the name or address in TIDB_HOST as a subject alternative name"
            ),
            TlsFault::OfAuthority => format!(
                "the certificate of {server} is that of an authority, as `openssl req -x509` makes them: have the server \
                 present a certificate of its own that this authority has signed, or make it with \
                 `-addext basicConstraints=critical,CA:FALSE`"
            ),
            TlsFault::WrongPurpose => format!(
                "the certificate of {server} was not issued for a server: have it issued again with the extended key usage \
                 serverAuth"
            ),
            TlsFault::Revoked => format!("the certificate of {server} has been revoked: have another one issued"),
            TlsFault::WeakSignature => format!(
                "the certificate of {server} is signed by an algorithm that is not trusted any more, such as SHA-1: have it \
                 issued again with SHA-256 or better"
            ),
            TlsFault::Unreadable => format!(
                "the certificate of {server} cannot be used: have it issued again, as an X.509 certificate of version 3"
            ),
            TlsFault::NothingInCommon => format!(
                "{server} and this program have no version or cipher of TLS in common: let the server speak TLS 1.2 or 1.3"
            ),
            TlsFault::ClientCertificate => format!(
                "{server} wants a certificate of the client's, which cannot be given yet: let the server, or the account, do \
                 without"
            ),
            TlsFault::NotSpoken => {
                format!("{server} does not speak TLS as a MySQL server does: check that TIDB_PORT is its MySQL port")
            }
            TlsFault::Expired => {
                let cure = match self.deployment() {
                    Deployment::SelfManaged => "renew it, or set this machine's clock if it is wrong",
                    Deployment::Starter | Deployment::Dedicated => {
                        "TiDB Cloud renews its own in time, so set this machine's clock, which seems to be ahead"
                    }
                };
                format!("the certificate of {server} has expired: {cure}")
            }
            TlsFault::NotYetValid => {
                format!(
                    "the certificate of {server} is not valid yet: set this machine's clock, which seems to be behind"
                )
            }
            TlsFault::NotOffered => {
                format!(
                    "{server} offers no TLS: enable it there, or set TIDB_ENABLE_SSL=false to send everything in the clear"
                )
            }
            TlsFault::Demanded => {
                format!(
                    "{server} accepts only encrypted connections: set TIDB_ENABLE_SSL=true, or CA_PATH to the CA file"
                )
            }
            TlsFault::Other => format!("TLS with {server} failed: see the cause, and the server's log"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said when the server refuses a login with error `code` and this text.
    fn refused(config: &ConnectionConfig, code: u16, text: &str) -> String {
        let error = ServerError { code, sqlstate: "HY000".into(), message: text.into() };
        config.connect_error("sqlx", Fault::Server(error), "as the driver put it").to_string()
    }

    #[test]
    fn the_gateway_of_tidb_cloud_is_understood_whatever_the_host_is_called() {
        let config = ConnectionConfig::new().with_host("db.example.org");
        let page = "See https://docs.pingcap.com/tidbcloud/select-cluster-tier#user-name-prefix";
        let said = refused(&config, 1105, &format!("Missing user name prefix. {page}"));
        assert!(said.contains("set TIDB_USER to <prefix>.root"), "{said}");
        let text = format!("Access denied. Please check your user name and password. {page}");
        for code in [1045, 1105] {
            let said = refused(&config, code, &text);
            assert!(said.contains("the prefix in TIDB_USER is that of this very cluster"), "{said}");
        }
        let said = refused(&config, 1105, "Connections using insecure transport are prohibited. See …");
        assert!(said.contains("set TIDB_ENABLE_SSL=true"), "{said}");
        let said = refused(&config, 1105, "Due to the usage quota being exhausted, access … has been restricted.");
        assert!(said.contains("usage quota"), "{said}");
    }

    #[test]
    fn an_account_that_may_not_log_in_is_told_from_a_wrong_password() {
        let config = ConnectionConfig::new().with_user("ann");
        for (code, part) in [
            (1045, "refused user 'ann' or the password"),
            (1130, "lets nobody in from this machine's address"),
            (3118, "has locked the account of user 'ann'"),
            (4151, "has locked the account of user 'ann'"),
            (3955, "has blocked user 'ann' after too many wrong passwords"),
            (1862, "the password of user 'ann' on 127.0.0.1:4000 has expired"),
        ] {
            let said = refused(&config, code, "");
            assert!(said.contains(part), "{code}: {said}");
        }
        assert!(refused(&config, 1129, "").contains("FLUSH HOSTS"));
    }

    #[test]
    fn a_server_that_shuts_down_is_told_from_a_busy_one() {
        let config = ConnectionConfig::new();
        assert!(refused(&config, 1053, "Server shutdown in progress").contains("is shutting down"));
        assert!(refused(&config, 9001, "PD server timeout").contains("is busy or starting"));
    }
}
