//! PGP/MIME (RFC 3156) for one public key (RFC 9580).
//!
//! The key is its owner's own upload: what is checked is that others can write to it (a bound
//! encryption key that is neither revoked, expired nor tiny), not who vouches for it.

use pgp::composed::{ArmorOptions, Deserializable as _, MessageBuilder, SignedPublicKey};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureType};
use pgp::types::{KeyDetails, PublicParams};
use rsa::rand_core::{OsRng, RngCore as _};
use rsa::traits::PublicKeyParts as _;

/// Shorter RSA keys are refused. Old keys of 1024 bits are in use; weak encryption that its owner
/// chose is better than none.
const RSA_BITS_MIN: usize = 1024;

/// What a key says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyFacts {
    /// Name of its first user id.
    pub name: String,
    /// Address of its first user id.
    pub address: String,
    /// Fingerprint of the primary key, hex.
    pub fingerprint: String,
}

/// The facts of an armoured public key; `None`: it is none.
pub fn describe(armour: &str) -> Option<KeyFacts> {
    let key = read(armour).ok()?;
    let id = key.details.users.first().and_then(|user| user.id.as_str()).unwrap_or_default();
    let (name, address) = match id.rsplit_once('<') {
        Some((name, rest)) => (name.trim(), rest.trim_end_matches('>').trim()),
        None if id.contains('@') => ("", id.trim()),
        None => (id.trim(), ""),
    };
    Some(KeyFacts {
        name: name.to_owned(),
        address: address.to_owned(),
        fingerprint: key.fingerprint().to_string(),
    })
}

/// Whether messages can be encrypted for an armoured key.
///
/// # Errors
/// Why not, in words for its owner.
pub fn check(armour: &str, now_ms: i64) -> Result<(), String> {
    target(&read(armour)?, now_ms).map(|_| ())
}

/// The header fields and the body of a multipart/encrypted with this payload (RFC 3156 §4).
///
/// # Errors
/// What is wrong with the key.
pub fn encrypt(payload: &[u8], armour: &str, now_ms: i64) -> Result<(String, Vec<u8>), String> {
    let key = read(armour)?;
    // version 1: what GnuPG 2.2 reads
    let mut builder = MessageBuilder::from_bytes("", payload.to_vec())
        .seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
    match target(&key, now_ms)? {
        Target::Primary(key) => builder.encrypt_to_key(OsRng, key),
        Target::Subkey(key) => builder.encrypt_to_key(OsRng, key),
    }
    .map_err(|error| error.to_string())?;
    let armoured = builder
        .to_armored_string(OsRng, ArmorOptions::default())
        .map_err(|error| error.to_string())?;
    let boundary = format!("eider-{:016x}{:016x}", OsRng.next_u64(), OsRng.next_u64());
    let mut body = format!(
        "This is an OpenPGP/MIME encrypted message (RFC 3156)\r\n\
         --{boundary}\r\nContent-Type: application/pgp-encrypted\r\n\
         Content-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n\r\n\
         --{boundary}\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\
         Content-Description: OpenPGP encrypted message\r\n\
         Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n"
    )
    .into_bytes();
    for line in armoured.lines() {
        body.extend_from_slice(line.trim_end().as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let fields = format!(
        "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n \
         boundary=\"{boundary}\"\r\nContent-Description: OpenPGP encrypted message\r\n"
    );
    Ok((fields, body))
}

/// The part of a key that encrypts.
enum Target<'a> {
    Primary(&'a PublicKey),
    Subkey(&'a PublicSubkey),
}

fn read(armour: &str) -> Result<SignedPublicKey, String> {
    let read = SignedPublicKey::from_string(armour.trim());
    read.map(|(key, _)| key).map_err(|_| "it is no PGP public key in armour".to_owned())
}

/// The newest subkey that may encrypt, else the primary key if it may.
fn target(key: &SignedPublicKey, now_ms: i64) -> Result<Target<'_>, String> {
    let primary = &key.primary_key;
    if !key.details.revocation_signatures.is_empty() {
        return Err("the key is revoked".to_owned());
    }
    let own = key.details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(|signature| {
            let tag = pgp::types::Tag::UserId;
            signature.verify_certification(primary, tag, &user.id).is_ok()
        })
    });
    let own =
        newest(own.chain(&key.details.direct_signatures)).ok_or("no user id is bound to it")?;
    if is_expired(primary, own, now_ms) {
        return Err("the key has expired".to_owned());
    }
    let subkeys = key.public_subkeys.iter().filter(|subkey| {
        let is_of = |kind: SignatureType| {
            subkey.signatures.iter().filter(move |signature| signature.typ() == Some(kind))
        };
        let bound = is_of(SignatureType::SubkeyBinding)
            .filter(|binding| binding.verify_subkey_binding(primary, &subkey.key).is_ok());
        is_of(SignatureType::SubkeyRevocation).next().is_none()
            && newest(bound).is_some_and(|binding| {
                may_encrypt(binding) && !is_expired(&subkey.key, binding, now_ms)
            })
    });
    let target = match subkeys.max_by_key(|subkey| subkey.key.created_at().as_secs()) {
        Some(subkey) => Target::Subkey(&subkey.key),
        None if may_encrypt(own) => Target::Primary(primary),
        None => return Err("the key has no valid part for encryption".to_owned()),
    };
    let params = match &target {
        Target::Primary(key) => key.public_params(),
        Target::Subkey(key) => key.public_params(),
    };
    match params {
        PublicParams::RSA(rsa) if rsa.key.n().bits() < RSA_BITS_MIN => {
            Err(format!("an RSA key has at least {RSA_BITS_MIN} bits"))
        }
        _ => Ok(target),
    }
}

fn newest<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures.max_by_key(|signature| signature.created().map_or(0, |at| at.as_secs()))
}

fn may_encrypt(signature: &Signature) -> bool {
    let flags = signature.key_flags();
    flags.encrypt_comms() || flags.encrypt_storage()
}

/// RFC 9580 §5.2.3.13: seconds after the key was made; 0 is never.
fn is_expired(key: &impl KeyDetails, signature: &Signature, now_ms: i64) -> bool {
    let life_s = signature.key_expiration_time().map_or(0, |life| life.as_secs());
    let ends_s = i64::from(key.created_at().as_secs()) + i64::from(life_s);
    life_s != 0 && ends_s < now_ms / 1000
}
