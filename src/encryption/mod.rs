//! Messages encrypted for their owner's key: PGP/MIME (RFC 3156) and S/MIME (RFC 8551).
//!
//! Pure but for randomness; slow: callers run it on the blocking pool. The whole message is the
//! encrypted part, so that its owner gets back what came, octet for octet; outside stay the fields
//! that lists and threads need (`reference/behaviours.md` §6).

pub mod pgp;
pub mod smime;

use crate::codec::mime::header;
use crate::model::profile::Encryption;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Fields that stay readable.
const KEPT: [&str; 8] = [
    "date",
    "subject",
    "from",
    "to",
    "message-id",
    "authentication-results",
    "references",
    "in-reply-to",
];
/// Prefix of more fields that stay readable.
const KEPT_PREFIX: &str = "bimi-";
/// Octets of base64 in a line (RFC 2045 §6.8).
const LINE_OCTETS: usize = 76;

/// The message encrypted for these keys; `None`: there is no key. Certificates win over a PGP key.
///
/// # Errors
/// What is wrong with a key, in words for the log.
pub fn encrypt(content: &[u8], keys: &Encryption, now_ms: i64) -> Result<Option<Vec<u8>>, String> {
    let (fields, body) = if !keys.smime_certs.is_empty() {
        smime::encrypt(content, keys)?
    } else if !keys.pub_key.is_empty() {
        pgp::encrypt(content, &keys.pub_key, now_ms)?
    } else {
        return Ok(None);
    };
    let mut message = Vec::with_capacity(body.len() + 2048);
    for field in header::fields(content) {
        let name = String::from_utf8_lossy(field.name).to_ascii_lowercase();
        if KEPT.contains(&name.as_str()) || name.starts_with(KEPT_PREFIX) {
            message.extend_from_slice(field.raw);
        }
    }
    message.extend_from_slice(b"MIME-Version: 1.0\r\n");
    message.extend_from_slice(fields.as_bytes());
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(&body);
    Ok(Some(message))
}

/// Base64 in lines that end with CRLF.
fn base64_lines(octets: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(octets);
    let mut lines = Vec::with_capacity(text.len() + text.len() / LINE_OCTETS * 2 + 2);
    for line in text.as_bytes().chunks(LINE_OCTETS) {
        lines.extend_from_slice(line);
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

#[cfg(test)]
mod tests;
