//! The configuration as the driver's own options.

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use tidb_connect_core::{ConnectionConfig, Result};

/// The driver's options for `config`, for a program that opens its connections itself.
///
/// Against the driver's defaults: verified TLS or none, never "if offered"; no `sql_mode` and no `SET NAMES` of the
/// driver's own, so that `||` means the same as in every other client, and login is followed by one `SET` only.
///
/// The password is in them, and the driver's `Debug` shows it: do not print them.
///
/// # Errors
/// [`Config`](tidb_connect_core::ErrorKind::Config) when [`ConnectionConfig::validate`] finds something wrong.
pub fn options(config: &ConnectionConfig) -> Result<MySqlConnectOptions> {
    config.validate()?;
    let mut options = MySqlConnectOptions::new()
        .host(config.host())
        .port(config.port())
        .username(config.user())
        .database(config.database())
        .ssl_mode(if config.uses_tls() { MySqlSslMode::VerifyIdentity } else { MySqlSslMode::Disabled })
        .statement_cache_capacity(ConnectionConfig::PREPARED_STATEMENTS)
        // The driver's own form of `ConnectionConfig::session_sql`, without the limit for a SELECT.
        .timezone(Some("+00:00".to_owned()))
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .set_names(false)
        // As the other two drivers ask for at login; this one would take utf8mb4_unicode_ci.
        .collation("utf8mb4_general_ci");
    // The driver answers with a hash even of an empty password, which servers refuse.
    if !config.password().is_empty() {
        options = options.password(config.password().expose());
    }
    if let Some(path) = config.ca_path() {
        options = options.ssl_ca(path);
    }
    Ok(options)
}
