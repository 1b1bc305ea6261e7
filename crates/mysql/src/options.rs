//! The configuration as the driver's own options.

use std::io;

use mysql::{LocalInfileHandler, OptsBuilder, PoolConstraints, PoolOpts, SslOpts, consts::CapabilityFlags};
use tidb_connect_core::{ConnectionConfig, Result};

/// TiDB's default `max_allowed_packet`, in bytes. Given, so that the driver does not ask for it after each login.
pub(crate) const MAX_ALLOWED_PACKET: usize = 64 << 20;

/// The driver's options for `config`, for a program that opens its connections itself.
///
/// Against the driver's defaults: verified TLS where the configuration wants it; time-outs; no hop to a Unix socket; no
/// queries after login but one `SET`; TCP keep-alive, so that a connection ends within a minute of its network; a pool of
/// the driver's own opens no connection before it is needed, and resets each that comes back, as by default; `UPDATE` counts
/// the rows found, not those changed; a server that asks for a file of the client's gets none, and its answer is an error.
///
/// In a pool of the driver's own, a connection on which a call timed out comes back like any other, and the late answer
/// becomes the next caller's (`upstream/mysql_pool_late_answer.md`): after an error that is not the server's, end the
/// connection (`PooledConn::unwrap`) instead of giving it back. [`Pool`](crate::Pool) does.
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
        let root = config.ca_path().map(ToOwned::to_owned);
        SslOpts::default().with_root_cert_path(root)
    });
    let pool_opts = PoolOpts::default()
        .with_constraints(PoolConstraints::new(0, config.pool().max_connections()).unwrap_or_default());
    Ok(OptsBuilder::default()
        .ip_or_hostname(Some(config.host()))
        .tcp_port(config.port())
        .user(Some(config.user()))
        .pass(Some(config.password().expose()))
        .db_name(Some(config.database()))
        .ssl_opts(ssl)
        .prefer_socket(false)
        .max_allowed_packet(Some(MAX_ALLOWED_PACKET))
        .tcp_connect_timeout(Some(config.connect_timeout()))
        .read_timeout(Some(config.operation_timeout()))
        .write_timeout(Some(config.operation_timeout()))
        .tcp_keepalive_time_ms(Some(30_000))
        .tcp_keepalive_probe_interval_secs(Some(10))
        .tcp_keepalive_probe_count(Some(3))
        .stmt_cache_size(ConnectionConfig::PREPARED_STATEMENTS)
        .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS)
        .local_infile_handler(Some(LocalInfileHandler::new(|_, _| Err(no_file()))))
        .init(vec![config.session_sql()])
        .pool_opts(pool_opts))
}

/// Without a handler, the driver sends an empty file and takes the answer to it for that of the statement: a `COMMIT` would
/// succeed that the server has not made.
fn no_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the server asked for a file, which it does not get")
}
