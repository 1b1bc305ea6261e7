//! A certificate authority for tests of TLS.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};

use rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer};

use crate::Failure;

/// What the authority calls itself in the certificates that it signs.
pub const NAME: &str = "tidb-connect test authority";

/// A certificate authority of the kit's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// The host names and addresses that it is for.
    pub names: &'static [&'static str],
    /// The years at whose start it begins and ends to be valid.
    pub years: (i32, i32),
    /// What is unusual about it.
    pub oddity: Option<Oddity>,
}

/// What makes a certificate one that clients refuse.
#[derive(Clone, Copy, Debug)]
pub enum Oddity {
    /// It may sign others, as the certificates of `openssl req -x509` may.
    Authority,
    /// It is for clients only.
    ForClients,
}

impl Leaf {
    /// For this machine, and valid.
    pub const VALID: Self = Self { names: &["localhost", "127.0.0.1"], years: (2020, 2100), oddity: None };
}

impl Authority {
    /// A new one, which nobody trusts yet.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new() -> Result<Self, Failure> {
        let make = || {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, NAME);
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        make().map(Self).map_err(uncertified)
    }

    /// Its own certificate, to be trusted.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes its own certificate into `directory`, and returns the path for `CA_PATH`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_ca(&self, directory: &Path) -> Result<PathBuf, Failure> {
        write(directory.join("ca.pem"), &self.pem())
    }

    /// Writes a server's certificate and its key into `directory`, over those from before, and returns both paths.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn issue(&self, directory: &Path, leaf: &Leaf) -> Result<(PathBuf, PathBuf), Failure> {
        let (certificate, key) = self.sign(leaf)?;
        let certificate = write(directory.join("certificate.pem"), &certificate.pem())?;
        Ok((certificate, write(directory.join("key.pem"), &key.serialize_pem())?))
    }

    /// The TLS of a server with this certificate.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn server_config(&self, leaf: &Leaf) -> Result<Arc<ServerConfig>, Failure> {
        let (certificate, key) = self.sign(leaf)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key.into())
            })
            .map(Arc::new)
            .map_err(|error| Failure::caused("the kit cannot offer TLS:", &error))
    }

    fn sign(&self, leaf: &Leaf) -> Result<(Certificate, KeyPair), Failure> {
        let make = || {
            let names: Vec<String> = leaf.names.iter().map(ToString::to_string).collect();
            let mut params = CertificateParams::new(names)?;
            (params.not_before, params.not_after) =
                (date_time_ymd(leaf.years.0, 1, 1), date_time_ymd(leaf.years.1, 1, 1));
            match leaf.oddity {
                Some(Oddity::Authority) => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
                Some(Oddity::ForClients) => params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth),
                None => {}
            }
            let key = KeyPair::generate()?;
            Ok((params.signed_by(&key, &self.0)?, key))
        };
        make().map_err(uncertified)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

fn uncertified(error: rcgen::Error) -> Failure {
    Failure::caused("the kit cannot make a certificate:", &error)
}

fn write(path: PathBuf, text: &str) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::caused(&format!("the kit cannot write {}:", path.display()), &error);
    fs::write(&path, text).map_err(failed)?;
    Ok(path)
}
