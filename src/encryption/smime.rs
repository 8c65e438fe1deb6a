//! S/MIME (RFC 8551) for up to sixteen certificates: enveloped-data with AES-256-CBC (RFC 5652
//! §6), or authEnveloped-data with AES-256-GCM (RFC 5083, RFC 5084).

use super::base64_lines;
use crate::model::profile::Encryption;
use aes_gcm::aead::AeadInPlace as _;
use aes_gcm::{Aes256Gcm, Nonce};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockEncryptMut as _, KeyInit as _, KeyIvInit as _};
use cms::cert::IssuerAndSerialNumber;
use cms::cert::x509::Certificate;
use cms::cert::x509::der::asn1::{Any, Null, ObjectIdentifier, OctetString, SetOfVec};
use cms::cert::x509::der::{self, Decode as _, Encode as _, Tag};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::enveloped_data::{
    EncryptedContentInfo, EnvelopedData, KeyTransRecipientInfo, RecipientIdentifier, RecipientInfo,
    RecipientInfos,
};
use rsa::pkcs1::RsaOaepParams;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::rand_core::{OsRng, RngCore as _};
use rsa::sha2::Sha256;
use rsa::traits::PublicKeyParts as _;
use rsa::{Oaep, Pkcs1v15Encrypt, RsaPublicKey};

/// RFC 5652 §4.
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
/// RFC 5652 §6.1.
const ENVELOPED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.3");
/// RFC 5083 §2.1.
const AUTH_ENVELOPED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.23");
/// RFC 3565 §4.1.
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
/// RFC 5084 §3.2.
const AES_256_GCM: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.46");
/// RFC 3370 §4.2.1.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// RFC 4055 §4.1.
const RSA_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
/// Shorter RSA keys are refused.
const RSA_BITS_MIN: usize = 2048;
/// Octets of the tag of AES-GCM.
const TAG_OCTETS: u8 = 16;

/// Whether messages can be encrypted for a certificate in PEM.
///
/// # Errors
/// Why not, in words for its owner.
pub fn check(pem: &str) -> Result<(), String> {
    public_key(&read(pem)?).map(|_| ())
}

/// The header fields and the body of an application/pkcs7-mime with this payload (RFC 8551 §3.3).
///
/// # Errors
/// What is wrong with a certificate.
pub fn encrypt(payload: &[u8], keys: &Encryption) -> Result<(String, Vec<u8>), String> {
    let is_gcm = keys.smime_cipher.as_deref() == Some("AES-GCM");
    let is_oaep = keys.smime_key_transport.as_deref() == Some("OAEP");
    let mut key = [0u8; 32];
    OsRng.fill_bytes(&mut key);
    let recipients = keys.smime_certs.iter().map(|pem| recipient(&read(pem)?, &key, is_oaep));
    let recipients: Vec<RecipientInfo> = recipients.collect::<Result<_, String>>()?;
    let text = |error: der::Error| error.to_string();
    let recipients = RecipientInfos::from(SetOfVec::from_iter(recipients).map_err(text)?);
    let sealed = match is_gcm {
        true => auth_enveloped(payload, &key, &recipients),
        false => enveloped(payload, &key, recipients),
    };
    let body = base64_lines(&sealed?.to_der().map_err(text)?);
    let kind = if is_gcm { "authEnveloped-data" } else { "enveloped-data" };
    let fields = format!(
        "Content-Type: application/pkcs7-mime; smime-type={kind};\r\n name=\"smime.p7m\"\r\n\
         Content-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"smime.p7m\"\r\n"
    );
    Ok((fields, body))
}

fn read(pem: &str) -> Result<Certificate, String> {
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.trim().as_bytes())
        .map_err(|_| "it is no certificate in PEM".to_owned())?;
    Certificate::from_der(&block.contents).map_err(|_| "it is no X.509 certificate".to_owned())
}

fn public_key(certificate: &Certificate) -> Result<RsaPublicKey, String> {
    let info = &certificate.tbs_certificate.subject_public_key_info;
    let der = info.to_der().map_err(|error| error.to_string())?;
    let key = RsaPublicKey::from_public_key_der(&der)
        .map_err(|_| "the certificate has no RSA key".to_owned())?;
    match key.n().bits() < RSA_BITS_MIN {
        true => Err(format!("an RSA key has at least {RSA_BITS_MIN} bits")),
        false => Ok(key),
    }
}

/// The key of the content for one recipient (RFC 5652 §6.2.1).
fn recipient(
    certificate: &Certificate,
    key: &[u8; 32],
    is_oaep: bool,
) -> Result<RecipientInfo, String> {
    let public = public_key(certificate)?;
    let encrypted = match is_oaep {
        true => public.encrypt(&mut OsRng, Oaep::new::<Sha256>(), key),
        false => public.encrypt(&mut OsRng, Pkcs1v15Encrypt, key),
    };
    let encrypted = encrypted.map_err(|error| error.to_string())?;
    let build = || {
        let key_enc_alg = if is_oaep {
            // RFC 4055 §4.1: the hash is named, SHA-1 is only the default
            let parameters = RsaOaepParams::new::<Sha256>().to_der()?;
            AlgorithmIdentifierOwned {
                oid: RSA_OAEP,
                parameters: Some(Any::from_der(&parameters)?),
            }
        } else {
            AlgorithmIdentifierOwned { oid: RSA, parameters: Some(Any::encode_from(&Null)?) }
        };
        Ok(RecipientInfo::Ktri(KeyTransRecipientInfo {
            version: CmsVersion::V0,
            rid: RecipientIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: certificate.tbs_certificate.issuer.clone(),
                serial_number: certificate.tbs_certificate.serial_number.clone(),
            }),
            key_enc_alg,
            enc_key: OctetString::new(encrypted)?,
        }))
    };
    build().map_err(|error: der::Error| error.to_string())
}

/// RFC 5652 §6.1 with AES-256-CBC.
fn enveloped(
    payload: &[u8],
    key: &[u8; 32],
    recip_infos: RecipientInfos,
) -> Result<ContentInfo, String> {
    let mut iv = [0u8; 16];
    OsRng.fill_bytes(&mut iv);
    let sealed = cbc::Encryptor::<aes::Aes256>::new(key.into(), (&iv).into())
        .encrypt_padded_vec_mut::<Pkcs7>(payload);
    let build = || {
        let data = EnvelopedData {
            version: CmsVersion::V0,
            originator_info: None,
            recip_infos,
            encrypted_content: EncryptedContentInfo {
                content_type: DATA,
                content_enc_alg: AlgorithmIdentifierOwned {
                    oid: AES_256_CBC,
                    parameters: Some(Any::new(Tag::OctetString, iv.as_slice())?),
                },
                encrypted_content: Some(OctetString::new(sealed)?),
            },
            unprotected_attrs: None,
        };
        Ok(ContentInfo { content_type: ENVELOPED, content: Any::encode_from(&data)? })
    };
    build().map_err(|error: der::Error| error.to_string())
}

/// RFC 5083 §2.1 with AES-256-GCM: `SEQUENCE { version, recipientInfos, authEncryptedContentInfo,
/// mac }`.
fn auth_enveloped(
    payload: &[u8],
    key: &[u8; 32],
    recipients: &RecipientInfos,
) -> Result<ContentInfo, String> {
    let mut nonce = [0u8; 12];
    OsRng.fill_bytes(&mut nonce);
    let mut sealed = payload.to_vec();
    let tag = Aes256Gcm::new(key.into())
        .encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut sealed)
        .map_err(|_| "the message is too long".to_owned())?;
    let build = || {
        // RFC 5084 §3.2: GCMParameters ::= SEQUENCE { aes-nonce, aes-ICVlen }
        let mut parameters = OctetString::new(nonce.as_slice())?.to_der()?;
        parameters.extend_from_slice(&TAG_OCTETS.to_der()?);
        let content = EncryptedContentInfo {
            content_type: DATA,
            content_enc_alg: AlgorithmIdentifierOwned {
                oid: AES_256_GCM,
                parameters: Some(Any::new(Tag::Sequence, parameters)?),
            },
            encrypted_content: Some(OctetString::new(sealed)?),
        };
        let mut fields = CmsVersion::V0.to_der()?;
        fields.extend_from_slice(&recipients.to_der()?);
        fields.extend_from_slice(&content.to_der()?);
        fields.extend_from_slice(&OctetString::new(tag.to_vec())?.to_der()?);
        Ok(ContentInfo { content_type: AUTH_ENVELOPED, content: Any::new(Tag::Sequence, fields)? })
    };
    build().map_err(|error: der::Error| error.to_string())
}
