//! Names of mailboxes on the wire (RFC 3501 §5.1.3, RFC 6855 §3) and LIST patterns (RFC 9051 §6.3.9).

/// encode
pub fn encode(name: &str) -> String {
    name.to_owned()
}
