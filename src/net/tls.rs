//! TLS server configuration, and the self-signed certificate of a first start.

use futures_util::future::BoxFuture;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer as _, X509Certificate};

pub use rustls::sign::CertifiedKey;

/// A certificate for a name, as it is stored.
#[derive(Clone)]
pub struct StoredCertificate {
    /// Changes when the certificate does.
    pub version: String,
    /// PEM, leaf first.
    pub chain: String,
    /// PEM.
    pub private_key: String,
}

/// A certificate with its key, ready for handshakes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity {
    config: Arc<ServerConfig>,
    /// What connections to it can be bound to.
    end_point: Option<Arc<[u8]>>,
}

impl Identity {
    /// What a TLS library makes an acceptor of.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

/// Finds the certificate for a name that a client asks for; `None`: the node's own is used.
pub type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, Option<StoredCertificate>> + Send + Sync>;

/// Configurations kept of certificates that were asked for.
const KEPT_MAX: usize = 1000;

/// Starts TLS on accepted connections; cheap to clone.
#[derive(Clone)]
pub struct TlsAcceptor {
    own: Identity,
    lookup: Option<Lookup>,
    /// By their versions. Held only to look and to put; the oldest do not matter, it is emptied
    /// when it is full.
    kept: Arc<Mutex<HashMap<String, Identity>>>,
}

impl std::fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

impl TlsAcceptor {
    /// An acceptor with this configuration.
    pub fn new(own: Identity) -> Self {
        Self { own, lookup: None, kept: Arc::default() }
    }

    /// The same with certificates by the names clients ask for (RFC 6066 §3).
    pub fn with_lookup(mut self, lookup: Lookup) -> Self {
        self.lookup = Some(lookup);
        self
    }

    /// The handshake; also what `tls-server-end-point` is then (RFC 5929 §4).
    pub(super) async fn accept(
        &self,
        tcp: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Option<Arc<[u8]>>)> {
        let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), tcp).await?;
        let name = start.client_hello().server_name().map(str::to_lowercase);
        let identity = self.identity_for(name).await;
        Ok((start.into_stream(identity.config).await?, identity.end_point))
    }

    async fn identity_for(&self, name: Option<String>) -> Identity {
        let (Some(name), Some(lookup)) = (name, &self.lookup) else { return self.own.clone() };
        let Some(found) = lookup(name).await else { return self.own.clone() };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = kept.get(&found.version) {
            return identity.clone();
        }
        drop(kept);
        match config_of_pem(found.chain.as_bytes(), found.private_key.as_bytes()) {
            Ok(identity) => {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() >= KEPT_MAX {
                    kept.clear();
                }
                kept.insert(found.version, identity.clone());
                identity
            }
            Err(error) => {
                tracing::error!(%error, "a stored certificate cannot be used");
                self.own.clone()
            }
        }
    }
}

/// Makes `ring` what TLS clients of the process use that were not told (rustls wants one chosen).
pub fn install_provider() {
    // Err: another node of this process has done it
    let _already = rustls::crypto::ring::default_provider().install_default().is_err();
}

/// Files of a certificate chain and its key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Chain, leaf first.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Reads a certificate chain and its key (PEM).
///
/// # Errors
/// A file cannot be read, holds no certificate or key, or the two do not fit.
pub fn certified_key(certificate: &Path, key: &Path) -> io::Result<CertifiedKey> {
    let about = |path: &Path, error: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
    };
    let read = |path: &Path| std::fs::read(path).map_err(|error| about(path, &error));
    let private = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| about(key, &error))?;
    let chain = chain_of_pem(&read(certificate)?).map_err(|error| about(certificate, &error))?;
    pair_of(chain, private).map_err(|error| about(certificate, &error))
}

/// A server configuration with a chain and key: TLS 1.2 and 1.3, `ring`.
///
/// # Errors
/// The library refuses.
pub fn server_config(pair: CertifiedKey) -> io::Result<Identity> {
    let end_point = pair.cert.first().and_then(|leaf| end_point(leaf));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    // Tickets instead of a shared session cache: resumption without memory per client.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(io::Error::other)?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(Identity { config: Arc::new(config), end_point })
}

/// `tls-server-end-point`: the certificate's digest, by the digest of its own signature
/// (RFC 5929 §4.1); `None` where that is none we know, as with Ed25519.
fn end_point(certificate: &[u8]) -> Option<Arc<[u8]>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // RSA with MD5 and SHA-1 count as SHA-256; RSA and ECDSA with SHA-256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.10045.4.1"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.3.2" => Some(Sha256::digest(certificate).as_slice().into()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => {
            Some(Sha384::digest(certificate).as_slice().into())
        }
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => {
            Some(Sha512::digest(certificate).as_slice().into())
        }
        _ => None,
    }
}

/// The same of texts.
///
/// # Errors
/// They hold no certificate or key, or the two do not fit.
pub fn config_of_pem(chain: &[u8], key: &[u8]) -> io::Result<Identity> {
    let invalid = |error: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("the private key: {error}"))
    };
    let private = PrivateKeyDer::from_pem_slice(key).map_err(|error| invalid(&error))?;
    server_config(pair_of(chain_of_pem(chain)?, private)?)
}

/// The first certificate of a chain, DER.
///
/// # Errors
/// There is none.
pub fn first_certificate(chain: &[u8]) -> io::Result<Vec<u8>> {
    let first = chain_of_pem(chain)?.into_iter().next();
    first.map(|leaf| leaf.to_vec()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn chain_of_pem(text: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    if chain.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no certificate in it"));
    }
    Ok(chain)
}

/// A chain with its key, if they belong together.
fn pair_of(
    chain: Vec<CertificateDer<'static>>,
    private: PrivateKeyDer<'static>,
) -> io::Result<CertifiedKey> {
    let invalid = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error);
    let key = rustls::crypto::ring::sign::any_supported_type(&private).map_err(invalid)?;
    let own = key.public_key();
    let leaf = chain.first().map(|leaf| X509Certificate::from_der(leaf));
    let Some(Ok((_, leaf))) = leaf else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the certificate cannot be read"));
    };
    // not by rustls: it reads no certificate of version 1, which many a site has made for itself
    if own.is_some_and(|own| own.as_ref() != leaf.public_key().raw) {
        return Err(invalid(rustls::InconsistentKeys::KeyMismatch.into()));
    }
    Ok(CertifiedKey::new(chain, key))
}

/// The octets of a private key in PEM.
///
/// # Errors
/// It is none.
pub fn private_key(pem: &[u8]) -> io::Result<Vec<u8>> {
    let key = PrivateKeyDer::from_pem_slice(pem);
    let key = key.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(key.secret_der().to_vec())
}

/// The self-signed certificate below `dir`, made if it is not there: `ca.pem` (to trust),
/// `certificate.pem` (leaf
/// and CA) for localhost, 127.0.0.1 and ::1, `key.pem` (mode 0600).
///
/// rustls and others refuse a certificate that is its own CA as a server's: hence two.
///
/// # Errors
/// The directory cannot be written.
pub fn self_signed(dir: &Path) -> io::Result<CertificateFiles> {
    let files =
        CertificateFiles { certificate: dir.join("certificate.pem"), key: dir.join("key.pem") };
    if files.certificate.exists() && files.key.exists() {
        return Ok(files);
    }
    std::fs::create_dir_all(dir)?;
    let made = generate().map_err(io::Error::other)?;
    // The certificate comes last: when it is there, all is there.
    write_new(&files.key, &made.key, 0o600)?;
    write_new(&dir.join("ca.pem"), &made.ca, 0o644)?;
    write_new(&files.certificate, &made.chain, 0o644)?;
    Ok(files)
}

struct Generated {
    ca: String,
    chain: String,
    key: String,
}

fn generate() -> Result<Generated, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca_params = CertificateParams::default();
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca_params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca_params.distinguished_name.push(DnType::CommonName, "Eider self-signed CA");
    let ca = ca_params.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca_params, ca_key);

    let key = KeyPair::generate()?;
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.use_authority_key_identifier_extension = true;
    let leaf = params.signed_by(&key, &issuer)?;
    let chain = format!("{}{}", leaf.pem(), ca.pem());
    Ok(Generated { ca: ca.pem(), chain, key: key.serialize_pem() })
}

/// Writes beside the target and renames, so that a crash leaves no half file.
fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let beside = path.with_extension("pem.new");
    let _ignored = std::fs::remove_file(&beside);
    let mut file: File =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
