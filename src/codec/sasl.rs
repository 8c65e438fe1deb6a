//! SASL messages: lines of an exchange (RFC 4422 §3.5), PLAIN (RFC 4616); SCRAM and tokens in files
//! of their own.

pub mod bearer;
pub mod scram;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets of a decoded response: a token of an identity provider fits.
pub const RESPONSE_OCTETS_MAX: usize = 12 * 1024;
/// Octets of a line with a response: base64 of the above with CRLF.
pub const LINE_OCTETS_MAX: usize = RESPONSE_OCTETS_MAX.div_ceil(3) * 4 + 2;

/// Why a line is not a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineError {
    /// `*`: the client gives up.
    Cancelled,
    /// Not base64.
    NotBase64,
    /// More than [`RESPONSE_OCTETS_MAX`].
    TooLong,
}

/// A response as IMAP, POP3 and SMTP carry it: base64, without its line end.
///
/// # Errors
/// The line is not a response.
pub fn decode_line(line: &[u8]) -> Result<Vec<u8>, LineError> {
    if line == b"*" {
        return Err(LineError::Cancelled);
    }
    if line.len() > LINE_OCTETS_MAX {
        return Err(LineError::TooLong);
    }
    match STANDARD.decode(line) {
        Ok(response) if response.len() <= RESPONSE_OCTETS_MAX => Ok(response),
        Ok(_) => Err(LineError::TooLong),
        Err(_) => Err(LineError::NotBase64),
    }
}

/// A challenge in base64.
pub fn encode_challenge(challenge: &[u8]) -> String {
    STANDARD.encode(challenge)
}

/// What a client says with PLAIN.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plain {
    /// Whom it wants to act as; empty: itself.
    pub authorization_id: String,
    /// Who it is.
    pub authentication_id: String,
    /// Its password.
    pub password: String,
}

impl Plain {
    /// Reads `message = [authzid] UTF8NUL authcid UTF8NUL passwd` (RFC 4616 §2).
    ///
    /// `None` unless it is UTF-8 with two NULs, with an identity and a password.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let mut fields = std::str::from_utf8(message).ok()?.split('\0');
        let (authorization_id, authentication_id, password) =
            (fields.next()?, fields.next()?, fields.next()?);
        if fields.next().is_some() || authentication_id.is_empty() || password.is_empty() {
            return None;
        }
        Some(Self {
            authorization_id: authorization_id.to_owned(),
            authentication_id: authentication_id.to_owned(),
            password: password.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_base64() {
        assert_eq!(decode_line(b"AGEAYg==").unwrap(), b"\0a\0b");
        assert_eq!(decode_line(b"").unwrap(), b"");
        assert_eq!(decode_line(b"*"), Err(LineError::Cancelled));
        assert_eq!(decode_line(b"a b"), Err(LineError::NotBase64));
        assert_eq!(decode_line(&[b'A'; LINE_OCTETS_MAX + 1]), Err(LineError::TooLong));
        assert_eq!(decode_line(encode_challenge(b"Username:").as_bytes()).unwrap(), b"Username:");
    }

    #[test]
    fn plain_of_rfc_4616() {
        // RFC 4616 §4: both examples
        let tim = Plain::parse(b"\0tim\0tanstaaftanstaaf").unwrap();
        assert_eq!((tim.authorization_id.as_str(), tim.authentication_id.as_str()), ("", "tim"));
        assert_eq!(tim.password, "tanstaaftanstaaf");
        assert_eq!(Plain::parse(b"Ursel\0Kurt\0xipj3plmq").unwrap().authorization_id, "Ursel");
        for bad in [&b""[..], b"\0tim", b"\0\0p", b"\0u\0", b"a\0b\0c\0d", b"\0u\0\xff"] {
            assert_eq!(Plain::parse(bad), None);
        }
    }
}
