//! TLS with the server, verified as the drivers verify it, and a look at the certificate whatever comes of that.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tidb_connect_core::{ConnectionConfig, Fault, Result, TlsFault};
use tidb_connect_wire::tls_request;
use time::{Date, OffsetDateTime};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate, X509Name},
};

use super::DOCTOR;

/// What a certificate says.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) names: Vec<String>,
    pub(super) issuer: String,
    pub(super) begin: Date,
    pub(super) end: Date,
}

/// Asks for TLS on a connection that has been greeted. Returns the version, or why there is none, and beside it the
/// certificate that the server showed.
pub(super) async fn encrypt(
    config: &ConnectionConfig,
    mut stream: TcpStream,
) -> (Result<&'static str>, Option<Certificate>) {
    let recorder = match Recorder::new(config) {
        Ok(recorder) => Arc::new(recorder),
        Err(error) => return (Err(config.connect_error(DOCTOR, Fault::Tls(TlsFault::Other), error)), None),
    };
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| {
            let verifier = Arc::clone(&recorder);
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        });
    let negotiated = async {
        let client = client.map_err(io::Error::other)?;
        let name = ServerName::try_from(config.host().to_owned()).map_err(io::Error::other)?;
        stream.write_all(&tls_request()).await?;
        let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
        Ok(match stream.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS 1.3",
        })
    };
    let negotiated = timeout(config.connect_timeout(), negotiated).await;
    let negotiated = negotiated.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
    let version = negotiated.map_err(|error| {
        let fault = match Fault::of(&error) {
            fault @ (Fault::Tls(_) | Fault::TimedOut) => fault,
            _ => Fault::Tls(TlsFault::Other),
        };
        config.connect_error(DOCTOR, fault, error)
    });
    let shown = recorder.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    (version, shown.and_then(|der| Certificate::parse(&der)))
}

impl Certificate {
    /// Whether a TiDB without a certificate has made it. Source: `pkg/util/misc.go` of TiDB v8.5.
    pub(super) fn is_self_made(&self) -> bool {
        self.issuer == "TiDB_Server_Auto_Generated_Server_Certificate"
    }

    fn parse(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.iter().filter_map(name).collect());
        let date = |time: x509_parser::time::ASN1Time| time.to_datetime().date();
        Some(Self {
            names: names.unwrap_or_default(),
            issuer: common_name(certificate.issuer()),
            begin: date(certificate.validity().not_before),
            end: date(certificate.validity().not_after),
        })
    }

    /// For how many days it is still valid, by this machine's clock; negative when its time is over.
    pub(super) fn days_left(&self) -> i64 {
        (self.end - OffsetDateTime::now_utc().date()).whole_days()
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { names, issuer, begin, end } = self;
        let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
        write!(f, "for {names}; issued by {issuer}; valid from {begin} to {end}")
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
        },
        _ => None,
    }
}

fn common_name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|name| name.as_str().ok());
    common.map_or_else(|| name.to_string(), ToOwned::to_owned)
}

/// Verifies as rustls does, and keeps the certificate, which rustls forgets when it refuses it.
#[derive(Debug)]
struct Recorder {
    verifier: Arc<WebPkiServerVerifier>,
    shown: Mutex<Option<CertificateDer<'static>>>,
}

impl Recorder {
    /// Trusts what the drivers trust: Mozilla's roots and those in `CA_PATH`.
    fn new(config: &ConnectionConfig) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in config.ca_certificates()? {
            roots.add(certificate)?;
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { verifier, shown: Mutex::new(None) })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.clone().into_owned());
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
