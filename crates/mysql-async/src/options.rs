//! The configuration as the driver's own options.

use std::time::Duration;

use mysql_async::{OptsBuilder, PoolConstraints, PoolOpts, SslOpts};
use tidb_connect_core::{ConnectionConfig, Result};

/// TiDB's default `max_allowed_packet`, in bytes. Given, so that the driver does not ask for it after each login.
pub(crate) const MAX_ALLOWED_PACKET: usize = 64 << 20;

/// TiDB's default `wait_timeout`, in seconds. Given for the same reason.
const WAIT_TIMEOUT: usize = 28_800;

/// The idle time after which the system asks whether the other end is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The driver's options for `config`, for a program that opens its connections itself.
///
/// Against the driver's defaults: verified TLS where the configuration wants it; no hop to a Unix socket; no queries
/// after login but one `SET`; TCP keep-alive, so that a connection whose network has gone ends; a pool of the driver's own
/// recycles connections by age, and resets each that comes back, as by default; `UPDATE` counts the rows found, not those
/// changed.
///
/// Where the configuration uses TLS, this installs ring as rustls' process-wide provider, unless the application has
/// installed one: the driver has no other way to be told.
///
/// The password is in them, and the driver's `Debug` shows it: do not print them.
///
/// # Errors
/// [`Config`](tidb_connect_core::ErrorKind::Config) when [`ConnectionConfig::validate`] finds something wrong.
pub fn options(config: &ConnectionConfig) -> Result<OptsBuilder> {
    config.validate()?;
    let ssl = config.uses_tls().then(|| {
        // The driver takes rustls' process-wide provider and panics without one. An application's own is left alone.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = config.ca_path().map(|path| path.to_owned().into());
        SslOpts::default().with_root_certs(roots.into_iter().collect())
    });
    let pool = config.pool();
    let pool_opts = PoolOpts::default()
        .with_constraints(PoolConstraints::new(0, pool.max_connections()).unwrap_or_default())
        .with_abs_conn_ttl(Some(pool.recycle()))
        // With none, the driver closes every connection above the minimum as soon as it comes back.
        .with_inactive_connection_ttl(pool.recycle());
    Ok(OptsBuilder::default()
        .ip_or_hostname(config.host())
        .tcp_port(config.port())
        .user(Some(config.user()))
        .pass(Some(config.password().expose()))
        .db_name(Some(config.database()))
        .ssl_opts(ssl)
        .prefer_socket(false)
        .max_allowed_packet(Some(MAX_ALLOWED_PACKET))
        .wait_timeout(Some(WAIT_TIMEOUT))
        .tcp_keepalive(Some(KEEP_ALIVE))
        .stmt_cache_size(ConnectionConfig::PREPARED_STATEMENTS)
        .client_found_rows(true)
        .setup(vec![config.session_sql()])
        .pool_opts(pool_opts))
}
