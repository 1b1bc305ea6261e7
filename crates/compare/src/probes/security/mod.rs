mod authentication_methods;
mod caching_sha2_without_tls;
mod clear_text_password;
mod damaged_packets;
mod file_asked_for;
mod password_shown;
mod ssl_mode_in_url;
mod tls_for_another_name;
mod tls_not_offered;
mod tls_nothing_set;
mod tls_of_an_unknown_authority;
mod unknown_url_parameter;

use std::{path::Path, sync::Arc};

use rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer};
use tidb_connect_core::{BoxError, ConnectionConfig};
use tidb_connect_wire::{Answer, Script, StandIn};
use tokio::time::timeout;

use super::sessions::pools::{Options, Pool};
use crate::{
    Driver,
    lab::{PATIENCE, caught},
    probe::{Chapter, Declined, probes},
};

pub(super) const CHAPTER: Chapter = Chapter {
    name: "security",
    title: "Security",
    probes: probes![
        tls_nothing_set
        tls_not_offered
        tls_of_an_unknown_authority
        tls_for_another_name
        ssl_mode_in_url
        unknown_url_parameter
        password_shown
        file_asked_for
        clear_text_password
        authentication_methods
        caching_sha2_without_tls
        damaged_packets
    ],
    declined: &[Declined {
        id: "password_by_rsa",
        question: "A user of caching_sha2_password logs in without TLS: is the password sent by the server's RSA key?",
        reason: "Only MySQL itself has such a key: TiDB takes the password over TLS alone, and MariaDB has no such method.",
    }],
};

/// The password of every login here, which is looked for in all that is sent and shown.
const CANARY: &str = "canary-4f9d1c";

/// A server that follows `script`, and how to reach it.
fn server(script: Script) -> Result<(StandIn, ConnectionConfig), BoxError> {
    // What `mysql` asks for after its login, and does not go on without.
    let script = script.on_statement("SELECT @@max_allowed_packet", Answer::Row("67108864".into()));
    let server = StandIn::start(script)?;
    let config = ConnectionConfig::new()
        .with_host("127.0.0.1")
        .with_port(server.addr().port())
        .with_user("teller")
        .with_password(CANARY);
    Ok((server, config))
}

/// Opens a connection, and runs a statement as text. A panic is an error.
async fn attempt(pool: &Pool, statement: &'static str) -> Result<String, BoxError> {
    let pool = pool.clone();
    let attempt = caught(async move { pool.get().await?.text(statement).await });
    timeout(PATIENCE, attempt).await?
}

/// The TLS of a server whose certificate, which is for this name, is signed by itself; and that certificate as PEM.
fn self_signed(name: &str) -> Result<(Arc<ServerConfig>, String), BoxError> {
    let made = rcgen::generate_simple_self_signed([name.to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())?;
    Ok((Arc::new(tls), made.cert.pem()))
}

/// The driver's options with TLS required, by the one switch there is for that, and an authority to trust.
fn tls_required(driver: Driver, config: &ConnectionConfig, authority: Option<&Path>) -> Options {
    match Options::as_it_comes(driver, config) {
        Options::Sqlx(options) => {
            let options = options.ssl_mode(sqlx::mysql::MySqlSslMode::Required);
            let options = match authority {
                Some(path) => options.ssl_ca(path),
                None => options,
            };
            Options::Sqlx(options.into())
        }
        Options::Mysql(options) => {
            let tls = mysql::SslOpts::default().with_root_cert_path(authority.map(ToOwned::to_owned));
            Options::Mysql(options.ssl_opts(Some(tls)))
        }
        Options::MysqlAsync(options) => {
            let authorities = authority.map(|path| path.to_owned().into()).into_iter().collect();
            let tls = mysql_async::SslOpts::default().with_root_certs(authorities);
            Options::MysqlAsync(options.ssl_opts(Some(tls)).into())
        }
    }
}
