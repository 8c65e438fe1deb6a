//! TLS server configuration, and the self-signed certificate of a first start.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Starts TLS on accepted connections; cheap to clone.
#[derive(Clone)]
pub struct TlsAcceptor {
    acceptor: tokio_rustls::TlsAcceptor,
}

impl std::fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

impl TlsAcceptor {
    /// An acceptor with this configuration.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self { acceptor: tokio_rustls::TlsAcceptor::from(config) }
    }

    pub(super) fn accept(
        &self,
        tcp: tokio::net::TcpStream,
    ) -> tokio_rustls::Accept<tokio::net::TcpStream> {
        self.acceptor.accept(tcp)
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

/// Reads a certificate chain and key (PEM) into a server configuration: TLS 1.2 and 1.3, `ring`.
///
/// # Errors
/// A file cannot be read, holds no certificate or key, or the two do not fit.
pub fn server_config(certificate: &Path, key: &Path) -> io::Result<Arc<ServerConfig>> {
    let about = |path: &Path, error: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| about(certificate, &error))?;
    if chain.is_empty() {
        return Err(about(certificate, &"no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| about(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| about(certificate, &error))?;
    // Tickets instead of a shared session cache: resumption without memory per client.
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(io::Error::other)?;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(Arc::new(config))
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
