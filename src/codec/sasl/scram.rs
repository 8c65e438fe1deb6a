//! Messages of SCRAM (RFC 5802 §7). The cryptography is `auth`'s.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets of a message; a nonce and a name fit many times.
const MESSAGE_OCTETS_MAX: usize = 4096;

/// What a client says of channel binding: `gs2-cbind-flag`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Binding {
    /// `n`: it cannot.
    Unsupported,
    /// `y`: it can, and thinks that the server cannot.
    Unused,
    /// `p=`: it does, of this type.
    Named(String),
}

/// `client-first-message`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientFirst {
    /// Channel binding.
    pub binding: Binding,
    /// Whom it wants to act as; empty: itself.
    pub authorization_id: String,
    /// Who it is.
    pub username: String,
    /// Its nonce.
    pub nonce: String,
    /// `gs2-header`, as it was.
    pub header: String,
    /// `client-first-message-bare`, as it was.
    pub bare: String,
}

impl ClientFirst {
    /// `client-first-message = gs2-header client-first-message-bare`; `None`: it is none.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let text = text(message)?;
        let (flag, rest) = text.split_once(',')?;
        let binding = match flag {
            "n" => Binding::Unsupported,
            "y" => Binding::Unused,
            _ => Binding::Named(flag.strip_prefix("p=").filter(|name| is_name(name))?.to_owned()),
        };
        // gs2-header = gs2-cbind-flag "," [ authzid ] ","
        let (authzid, bare) = rest.split_once(',')?;
        let authorization_id = match authzid {
            "" => String::new(),
            authzid => saslname(authzid.strip_prefix("a=")?)?,
        };
        // [reserved-mext ","] username "," nonce ["," extensions]: an `m=` must be refused (§5.1)
        let mut parts = bare.split(',');
        let username = saslname(parts.next()?.strip_prefix("n=")?)?;
        let nonce = parts.next()?.strip_prefix("r=").filter(|nonce| is_printable(nonce))?;
        let header = text.get(..text.len() - bare.len())?.to_owned();
        let (nonce, bare) = (nonce.to_owned(), bare.to_owned());
        Some(Self { binding, authorization_id, username, nonce, header, bare })
    }
}

/// `client-final-message`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientFinal {
    /// `c=`, decoded: the header once more, and the channel's data.
    pub binding: Vec<u8>,
    /// Both nonces.
    pub nonce: String,
    /// `p=`, decoded.
    pub proof: Vec<u8>,
    /// `client-final-message-without-proof`, as it was.
    pub without_proof: String,
}

impl ClientFinal {
    /// `channel-binding "," nonce ["," extensions] "," proof`; `None`: it is none.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let (without_proof, proof) = text(message)?.rsplit_once(",p=")?;
        let mut parts = without_proof.split(',');
        let binding = STANDARD.decode(parts.next()?.strip_prefix("c=")?).ok()?;
        let nonce = parts.next()?.strip_prefix("r=")?.to_owned();
        let proof = STANDARD.decode(proof).ok()?;
        Some(Self { binding, nonce, proof, without_proof: without_proof.to_owned() })
    }
}

/// `server-first-message = nonce "," salt "," iteration-count`
pub fn server_first(nonce: &str, salt: &[u8], iterations: u32) -> String {
    format!("r={nonce},s={},i={iterations}", STANDARD.encode(salt))
}

/// `server-final-message = verifier`
pub fn server_final(signature: &[u8]) -> String {
    format!("v={}", STANDARD.encode(signature))
}

fn text(message: &[u8]) -> Option<&str> {
    std::str::from_utf8(message).ok().filter(|text| text.len() <= MESSAGE_OCTETS_MAX)
}

/// `cb-name = 1*(ALPHA / DIGIT / "." / "-")`
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'.' || c == b'-')
}

/// `printable = %x21-2B / %x2D-7E`
fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic())
}

/// `saslname = 1*(value-safe-char / "=2C" / "=3D")`, decoded.
fn saslname(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('=') {
        name.push_str(plain);
        name.push(match after.get(..2)? {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        rest = after.get(2..)?;
    }
    name.push_str(rest);
    (!name.is_empty() && !name.contains('\0')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_rfc_7677() {
        let first = ClientFirst::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(first.binding, Binding::Unsupported);
        assert_eq!((first.username.as_str(), first.header.as_str()), ("user", "n,,"));
        assert_eq!(first.bare, "n=user,r=rOprNGfwEbeRWgbNEkqO");
        let last = ClientFinal::parse(
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        )
        .unwrap();
        assert_eq!(last.binding, b"n,,");
        assert_eq!((last.proof.len(), last.nonce.len()), (32, 50));
        assert!(last.without_proof.starts_with("c=biws,r=") && last.without_proof.ends_with("k0"));
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        assert_eq!(server_first("r", &salt, 4096), "r=r,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    }

    #[test]
    fn names_and_bindings() {
        let first = ClientFirst::parse(b"p=tls-exporter,a=o=2Cther,n=a=3Db,r=x,ext=1").unwrap();
        assert_eq!(first.binding, Binding::Named("tls-exporter".into()));
        assert_eq!((first.authorization_id.as_str(), first.username.as_str()), ("o,ther", "a=b"));
        assert_eq!(first.header, "p=tls-exporter,a=o=2Cther,");
        let bad: [&[u8]; 12] = [
            b"",
            b"n,n=user,r=x",
            b"x,,n=user,r=x",
            b"p=,,n=user,r=x",
            b"n,b,n=user,r=x",
            b"n,,m=1,n=user,r=x",
            b"n,,n=,r=x",
            b"n,,n=a=2,r=x",
            b"n,,n=a=2D,r=x",
            b"n,,n=user,r=",
            b"n,,n=user",
            b"n,,n=\xff,r=x",
        ];
        for message in bad {
            assert_eq!(ClientFirst::parse(message), None, "{message:?}");
        }
        for message in [&b"c=biws,r=x"[..], b"c=?,r=x,p=AA==", b"r=x,p=AA==", b"c=biws,r=x,p=?"] {
            assert_eq!(ClientFinal::parse(message), None, "{message:?}");
        }
    }
}
