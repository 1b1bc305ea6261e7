//! The driver crate decides about rustls' process-wide provider only where TLS is used. One test, for it has the process.

use rustls::crypto::CryptoProvider;
use tidb_connect_core::{ConnectionConfig, TlsMode};
use tidb_connect_mysql_async::{Pool, options};

#[test]
fn a_provider_is_installed_only_for_tls() {
    let plain = ConnectionConfig::new();
    assert!(options(&plain).is_ok() && Pool::new(&plain).is_ok());
    assert!(CryptoProvider::get_default().is_none());

    assert!(options(&plain.with_tls(TlsMode::Verify)).is_ok());
    assert!(CryptoProvider::get_default().is_some());
}
