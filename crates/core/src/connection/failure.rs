//! Why a connection could not be opened, in the words of the settings that a person can change.

use super::{ConnectionConfig, Deployment, TlsMode};
use crate::{BoxError, Error, ErrorKind, Fault, Outcome, Phase, TlsFault};

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
        let (host, server) = (self.host(), format!("{}:{}", self.host(), self.port()));
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
            (ErrorKind::AccessDenied, _) => {
                let user = self.user();
                let prefix = match self.deployment() {
                    Deployment::Starter if !user.contains('.') => "; on TiDB Cloud Starter the user is <prefix>.root",
                    _ => "",
                };
                let tls = match self.tls() {
                    TlsMode::Disabled => {
                        "; TLS is off, and a server or user that demands it refuses in the same way, as does TiDB with \
                         caching_sha2_password: set TIDB_ENABLE_SSL=true"
                    }
                    TlsMode::Automatic | TlsMode::Verify => "",
                };
                format!(
                    "{server} refused user '{user}' or the password: check TIDB_USER and TIDB_PASSWORD{prefix}{tls}"
                )
            }
            (ErrorKind::UnknownDatabase | ErrorKind::PermissionDenied, _) => {
                let database = self.database();
                format!(
                    "the database '{database}' does not exist on {server}, or the user may not use it: check TIDB_DB_NAME"
                )
            }
            (ErrorKind::TooManyConnections, _) => {
                format!("{server} accepts no further connection: close others, or raise the server's limit")
            }
            (ErrorKind::LimitExceeded, _) => {
                format!(
                    "{server} refuses connections until its usage quota is raised or renewed: see the TiDB Cloud console"
                )
            }
            (ErrorKind::Unavailable, _) => format!("{server} is shutting down: connect to another node, or wait"),
            (_, Fault::Server(error)) => format!("{server} refused the connection with error {}", error.code),
            _ => format!("the driver could not connect to {server}"),
        };
        (kind, outcome, message)
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
                    (false, _) => "set CA_PATH to the server's CA certificate",
                };
                format!("the certificate of {server} is signed by an authority that is not trusted: {missing}")
            }
            TlsFault::WrongName => {
                let host = self.host();
                format!("the certificate of {server} is not for '{host}': set TIDB_HOST to a name that it holds")
            }
            TlsFault::Expired => {
                format!("the certificate of {server} is not valid today: renew it, or set this machine's clock right")
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
            TlsFault::Other => format!("TLS with {server} failed: check that TIDB_PORT is the server's MySQL port"),
        }
    }
}
