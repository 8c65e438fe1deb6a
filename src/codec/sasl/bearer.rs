//! Tokens instead of passwords: OAUTHBEARER (RFC 7628) and XOAUTH2, which Google had before it.

/// What a client says.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Who it says it is; empty: who the token belongs to.
    pub username: String,
    /// The token.
    pub token: String,
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What both send when a token is refused (RFC 7628 §3.2.2); the client answers with a message that
/// says nothing.
pub const REFUSAL: &str = r#"{"status":"invalid_token","schemes":"bearer","scope":"mail"}"#;

impl Bearer {
    /// `client-resp = (gs2-header kvsep *kvpair kvsep)` with `auth=Bearer` (RFC 7628 §3.1); `None`:
    /// it is none.
    pub fn parse_oauthbearer(message: &[u8]) -> Option<Self> {
        let (header, pairs) = std::str::from_utf8(message).ok()?.split_once('\x01')?;
        // no channel binding here: `n` or `y` (RFC 7628 §3.1)
        let (flag, authzid) = header.strip_suffix(',')?.split_once(',')?;
        if !matches!(flag, "n" | "y") {
            return None;
        }
        let username = match authzid {
            "" => String::new(),
            authzid => authzid.strip_prefix("a=")?.replace("=2C", ",").replace("=3D", "="),
        };
        Some(Self { username, token: token(pairs)? })
    }

    /// `user=` name `^A` `auth=Bearer` token `^A^A`; `None`: it is none.
    pub fn parse_xoauth2(message: &[u8]) -> Option<Self> {
        let (user, pairs) = std::str::from_utf8(message).ok()?.split_once('\x01')?;
        let username = user.strip_prefix("user=")?.to_owned();
        Some(Self { username, token: token(pairs)? })
    }
}

/// The token among `key "=" value kvsep` pairs, which end with one more `kvsep`.
fn token(pairs: &str) -> Option<String> {
    let pairs = pairs.strip_suffix("\x01\x01")?;
    let auth = pairs.split('\x01').find_map(|pair| pair.strip_prefix("auth="))?;
    let (scheme, token) = auth.split_once(' ')?;
    let is_good = scheme.eq_ignore_ascii_case("Bearer") && !token.trim().is_empty();
    is_good.then(|| token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_rfc_7628() {
        let message = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
            auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        let bearer = Bearer::parse_oauthbearer(message).unwrap();
        assert_eq!(bearer.username, "user@example.com");
        assert_eq!(bearer.token, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        assert_eq!(
            Bearer::parse_oauthbearer(b"n,,\x01auth=bearer x\x01\x01").unwrap().username,
            ""
        );
        let bad: [&[u8]; 7] = [
            b"",
            b"\x01",
            b"n,,\x01auth=\x01\x01",
            b"n,,\x01auth=Bearer x\x01",
            b"n,,\x01auth=Basic x\x01\x01",
            b"p=x,,\x01auth=Bearer x\x01\x01",
            b"n,user,\x01auth=Bearer x\x01\x01",
        ];
        for message in bad {
            assert_eq!(Bearer::parse_oauthbearer(message), None, "{message:?}");
        }
    }

    #[test]
    fn xoauth2() {
        let bearer =
            Bearer::parse_xoauth2(b"user=a@b.example\x01auth=Bearer ya29\x01\x01").unwrap();
        assert_eq!((bearer.username.as_str(), bearer.token.as_str()), ("a@b.example", "ya29"));
        assert_eq!(Bearer::parse_xoauth2(b"auth=Bearer ya29\x01\x01"), None);
    }
}
