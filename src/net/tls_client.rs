//! TLS of connections we open, and whom they trust: anybody, the system's authorities, or a
//! domain's own TLSA records (RFC 7672).

use super::dns::Tlsa;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256, Sha512};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Which servers are trusted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trust {
    /// Any: who listens passively learns nothing, that is all (RFC 7435).
    Any,
    /// Those whose certificate is for their name and from an authority.
    Names,
    /// Those that one of the records matches (RFC 7672 §3.1); usable ones only.
    Dane(Vec<Tlsa>),
}

/// What is wrong with a server's certificate, in the words of reports (RFC 8460 §4.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It is for other names.
    Name,
    /// Its time is over, or to come.
    Time,
    /// Nobody who is trusted vouches for it.
    Trust,
    /// Anything else: also TLS as such.
    Other,
}

/// What was wrong when TLS failed.
pub fn fault_of(error: &io::Error) -> Fault {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(why)) = inner else { return Fault::Other };
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Fault::Name
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Fault::Time,
        CertificateError::UnknownIssuer => Fault::Trust,
        _ => Fault::Other,
    }
}

/// Starts TLS on connections we open; cheap to clone.
#[derive(Clone, Debug)]
pub struct TlsClient {
    provider: Arc<CryptoProvider>,
    any: Arc<ClientConfig>,
    names: Arc<ClientConfig>,
}

impl TlsClient {
    /// A client that trusts the system's authorities and those of a PEM file.
    ///
    /// # Errors
    /// The file cannot be read. A system without authorities is warned of: nothing is verified
    /// then.
    pub fn new(extra: Option<&Path>) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = extra {
            let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
            for certificate in CertificateDer::pem_file_iter(path).map_err(invalid)? {
                roots.add(certificate.map_err(invalid)?).map_err(io::Error::other)?;
            }
        }
        if roots.is_empty() {
            tracing::warn!("the system has no certificate authorities: no server can be verified");
        }
        let any = config(&provider, None)?;
        let names = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { provider, any, names: Arc::new(names) })
    }

    /// A configuration that trusts the authorities.
    pub(super) fn verifying_config(&self) -> ClientConfig {
        ClientConfig::clone(&self.names)
    }

    pub(super) async fn connect(
        &self,
        tcp: TcpStream,
        host: &str,
        trust: &Trust,
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = match trust {
            Trust::Any => Arc::clone(&self.any),
            Trust::Names => Arc::clone(&self.names),
            Trust::Dane(records) => config(&self.provider, Some(records.clone()))?,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(config).connect(name, tcp).await
    }
}

fn config(
    provider: &Arc<CryptoProvider>,
    records: Option<Vec<Tlsa>>,
) -> io::Result<Arc<ClientConfig>> {
    let verifier = Arc::new(Verifier { provider: Arc::clone(provider), records });
    let config = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Trusts certificates that a record matches; without records, every one whose key the server has.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    records: Option<Vec<Tlsa>>,
}

impl Verifier {
    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let Some(records) = &self.records else { return Ok(()) };
        for record in records {
            // RFC 7672 §3.1.1: neither names nor dates count for DANE-EE
            if record.usage == 3 && matches(record, leaf)? {
                return Ok(());
            }
            if record.usage != 2 {
                continue;
            }
            // RFC 7672 §3.1.2: the anchor is in the server's chain
            for anchor in chain {
                if matches(record, anchor)? && self.is_below(anchor, leaf, chain, name, now) {
                    return Ok(());
                }
            }
        }
        Err(CertificateError::UnknownIssuer.into())
    }

    fn is_below(
        &self,
        anchor: &CertificateDer<'_>,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        let mut roots = RootCertStore::empty();
        if roots.add(anchor.clone().into_owned()).is_err() {
            return false;
        }
        let provider = Arc::clone(&self.provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build();
        verifier.is_ok_and(|it| it.verify_server_cert(leaf, chain, name, &[], now).is_ok())
    }
}

/// RFC 6698 §2.1
fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> Result<bool, rustls::Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    let octets = match record.selector {
        0 => certificate.to_vec(),
        1 => parsed.subject_public_key_info().to_vec(),
        _ => return Ok(false),
    };
    Ok(match record.matching {
        0 => octets == record.data,
        1 => Sha256::digest(&octets).as_slice() == record.data,
        2 => Sha512::digest(&octets).as_slice() == record.data,
        _ => false,
    })
}

/// Whether a record says something a mail client can use (RFC 7672 §3.1.3).
pub fn is_usable(record: &Tlsa) -> bool {
    matches!(record.usage, 2 | 3)
        && record.selector <= 1
        && match record.matching {
            0 => !record.data.is_empty(),
            1 => record.data.len() == 32,
            2 => record.data.len() == 64,
            _ => false,
        }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verify(leaf, chain, name, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, leaf, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, leaf, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
