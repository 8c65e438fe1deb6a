//! Keys and certificates that sites keep in the store.

use super::id::ObjectId;
use super::message::TimeMs;

/// A key that signs a domain's outgoing mail (RFC 6376).
#[derive(Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// Identifier.
    pub id: ObjectId,
    /// The domain.
    pub domain: String,
    /// The selector (RFC 6376 §3.1).
    pub selector: String,
    /// For people.
    pub description: Option<String>,
    /// SHA-256 of the public key, hex with colons.
    pub fingerprint: String,
    /// PEM, PKCS #8.
    pub private_key: String,
    /// PEM, SubjectPublicKeyInfo.
    pub public_key: String,
    /// The value of its DNS record.
    pub dns_value: String,
    /// When it was stored.
    pub created_ms: TimeMs,
}

impl DkimKey {
    /// It is an Ed25519 key (RFC 8463), no RSA one.
    pub fn is_ed25519(&self) -> bool {
        self.dns_value.contains("k=ed25519")
    }
}

impl std::fmt::Debug for DkimKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DkimKey")
            .field("domain", &self.domain)
            .field("selector", &self.selector)
            .finish_non_exhaustive()
    }
}

/// A certificate for a name clients ask for (RFC 6066 §3).
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Identifier.
    pub id: ObjectId,
    /// The name; one certificate each.
    pub server_name: String,
    /// For people.
    pub description: Option<String>,
    /// SHA-256 of the private key, hex with colons.
    pub fingerprint: String,
    /// When it ends.
    pub expires_ms: TimeMs,
    /// All names it is for.
    pub alt_names: Vec<String>,
    /// PEM: the certificate and those that vouch for it; empty: it is still to be obtained.
    pub chain: String,
    /// PEM.
    pub private_key: String,
    /// Obtained and renewed by ACME.
    pub is_acme: bool,
    /// When it was stored.
    pub created_ms: TimeMs,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("server_name", &self.server_name)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}
