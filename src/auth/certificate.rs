//! What an X.509 certificate (RFC 5280) says of itself.

use sha2::{Digest as _, Sha256};

/// The facts people compare.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateFacts {
    /// Distinguished name.
    pub subject: String,
    /// Serial number, hex.
    pub serial: String,
    /// SHA-256 of the certificate, hex in pairs joined by colons.
    pub fingerprint: String,
}

/// The facts of the first certificate of a PEM text; `None`: there is none.
pub fn describe(pem: &str) -> Option<CertificateFacts> {
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.trim().as_bytes()).ok()?;
    let certificate = block.parse_x509().ok()?;
    let digest = Sha256::digest(&block.contents);
    let pairs: Vec<String> = digest.iter().map(|octet| format!("{octet:02X}")).collect();
    Some(CertificateFacts {
        subject: certificate.subject().to_string(),
        serial: certificate.raw_serial_as_string().replace(':', ""),
        fingerprint: pairs.join(":"),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_certificate_is_described() {
        let made = rcgen::generate_simple_self_signed(vec!["mail.example.com".into()]).unwrap();
        let facts = super::describe(&made.cert.pem()).unwrap();
        assert!(facts.subject.contains("CN="), "{facts:?}");
        assert_eq!(facts.fingerprint.len(), 95, "{facts:?}");
        assert_eq!(super::describe("-----BEGIN CERTIFICATE-----\nAA==\n"), None);
    }
}
