//! SASL messages: PLAIN (RFC 4616).

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
