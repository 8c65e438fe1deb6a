//! Signed data (RFC 5652 §5) with the content inside and no signed attributes, for what phones
//! open.

use super::tls::CertifiedKey;
use cms::cert::x509::Certificate;
use cms::cert::x509::der::asn1::{Any, Null, ObjectIdentifier, OctetString, SetOfVec};
use cms::cert::x509::der::{self, Decode as _, Encode as _};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use rustls::SignatureScheme;

/// RFC 5652 §4.
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
/// RFC 5652 §5.1.
const SIGNED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// RFC 5754 §2.2.
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// RFC 5754 §2.3.
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
/// RFC 3370 §3.2.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// RFC 5754 §3.3.
const ECDSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// RFC 5754 §3.3.
const ECDSA_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

/// How keys sign: the scheme, its digest, its name in a signature.
const SCHEMES: [(SignatureScheme, ObjectIdentifier, ObjectIdentifier); 3] = [
    (SignatureScheme::RSA_PKCS1_SHA256, SHA_256, RSA),
    (SignatureScheme::ECDSA_NISTP256_SHA256, SHA_256, ECDSA_SHA_256),
    (SignatureScheme::ECDSA_NISTP384_SHA384, SHA_384, ECDSA_SHA_384),
];

/// Whether the key has a scheme that signed data knows.
pub fn signs(pair: &CertifiedKey) -> bool {
    let offered = SCHEMES.map(|(scheme, ..)| scheme);
    pair.key.choose_scheme(&offered).is_some()
}

/// The content with the chain's signature, DER.
///
/// # Errors
/// What is wrong with the chain or its key, in words for the log.
pub fn sign(content: &[u8], pair: &CertifiedKey) -> Result<Vec<u8>, String> {
    let offered = SCHEMES.map(|(scheme, ..)| scheme);
    let signer = pair.key.choose_scheme(&offered).ok_or("the key signs nothing we know")?;
    let (_, digest, name) = SCHEMES
        .into_iter()
        .find(|(scheme, ..)| *scheme == signer.scheme())
        .ok_or("the key signs otherwise than asked")?;
    let signature = signer.sign(content).map_err(|error| error.to_string())?;
    let signed = || {
        let chain = pair.cert.iter().map(|der| Certificate::from_der(der));
        let chain = chain.collect::<Result<Vec<_>, der::Error>>()?;
        let leaf = chain.first().ok_or_else(|| der::Error::from(der::ErrorKind::Failed))?;
        let sid = SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: leaf.tbs_certificate.issuer.clone(),
            serial_number: leaf.tbs_certificate.serial_number.clone(),
        });
        let digest = AlgorithmIdentifierOwned { oid: digest, parameters: None };
        // RFC 3370 §3.2: RSA has NULL, the others nothing
        let parameters = (name == RSA).then(|| Any::encode_from(&Null)).transpose()?;
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid,
            digest_alg: digest.clone(),
            signed_attrs: None,
            signature_algorithm: AlgorithmIdentifierOwned { oid: name, parameters },
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        };
        let certificates = chain.into_iter().map(CertificateChoices::Certificate);
        let data = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::from_iter([digest])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: DATA,
                econtent: Some(Any::encode_from(&OctetString::new(content)?)?),
            },
            certificates: Some(CertificateSet(SetOfVec::from_iter(certificates)?)),
            crls: None,
            signer_infos: SignerInfos(SetOfVec::from_iter([signer])?),
        };
        ContentInfo { content_type: SIGNED, content: Any::encode_from(&data)? }.to_der()
    };
    signed().map_err(|error: der::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn openssl_verifies_what_each_kind_of_key_signed() {
        let folder = std::env::temp_dir().join(format!("eider-signed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let openssl = |arguments: &str| {
            let run = Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(&folder)
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&run.stderr);
            assert!(run.status.success(), "{arguments}: {errors}");
            run.stdout
        };
        let curve = |name: &str| format!("ec -pkeyopt ec_paramgen_curve:{name}");
        for kind in ["rsa:2048", &curve("P-256"), &curve("P-384")] {
            let files = "-keyout key.pem -out cert.pem";
            openssl(&format!("req -x509 -nodes -subj /CN=signer -newkey {kind} {files}"));
            let file = |name| folder.join(name);
            let pair = crate::net::tls::certified_key(&file("cert.pem"), &file("key.pem"));
            let made = sign(b"a <b> \xff\r\n", &pair.unwrap()).unwrap();
            std::fs::write(file("signed.der"), made).unwrap();
            let trust = "-CAfile cert.pem -purpose any";
            let read = openssl(&format!("cms -verify -binary -inform DER -in signed.der {trust}"));
            assert_eq!(read, b"a <b> \xff\r\n", "{kind}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
