//! What a stranger's message must not say in our name.
//!
//! RFC 8601 §5: Authentication-Results that claim to be ours are removed at the border. So are the
//! fields that a spam filter of ours would write (`X-Spam…`, `X-Rspamd…`, `X-Eider-Spam`): delivery
//! believes them. Everything else stays as it is, octet for octet.

use bytes::{Bytes, BytesMut};

/// Fields of this message's header that are ours to write are removed; the same octets if there are
/// none.
pub fn without_forgeries(content: &Bytes, authserv_id: &str) -> Bytes {
    without_fields(content, |name, value| is_forgery(name, value, authserv_id))
}

/// The message without the header fields that a rule names by their lowercase name and raw value.
pub fn without_fields(content: &Bytes, is_unwanted: impl Fn(&str, &[u8]) -> bool) -> Bytes {
    let mut kept: Option<BytesMut> = None;
    // What lies before is in `kept`, if anything was removed
    let mut start = 0;
    let mut at = 0;
    while let Some(end) = field_end(content, at) {
        let field = content.get(at..end).unwrap_or_default();
        if let Some((name, value)) = split(field)
            && is_unwanted(&name, value)
        {
            let kept = kept.get_or_insert_default();
            kept.extend_from_slice(content.get(start..at).unwrap_or_default());
            start = end;
        }
        at = end;
    }
    match kept {
        None => content.clone(),
        Some(mut kept) => {
            kept.extend_from_slice(content.get(start..).unwrap_or_default());
            kept.freeze()
        }
    }
}

/// Where the field that begins at `at` ends, folded lines included; `None` at the end of the header.
fn field_end(content: &[u8], at: usize) -> Option<usize> {
    let mut end = line_end(content, at)?;
    if matches!(content.get(at..end)?, b"\r\n" | b"\n") {
        return None;
    }
    while content.get(end).is_some_and(|octet| matches!(octet, b' ' | b'\t')) {
        end = line_end(content, end)?;
    }
    Some(end)
}

fn line_end(content: &[u8], at: usize) -> Option<usize> {
    let rest = content.get(at..).filter(|rest| !rest.is_empty())?;
    Some(memchr::memchr(b'\n', rest).map_or(content.len(), |offset| at + offset + 1))
}

fn split(field: &[u8]) -> Option<(String, &[u8])> {
    let colon = memchr::memchr(b':', field)?;
    let (name, value) = field.split_at_checked(colon)?;
    let name = String::from_utf8_lossy(name).trim_end().to_ascii_lowercase();
    Some((name, value.get(1..).unwrap_or_default()))
}

fn is_forgery(name: &str, value: &[u8], authserv_id: &str) -> bool {
    match name {
        "authentication-results" | "x-eider-spam" => {
            name == "x-eider-spam" || claimed_id(value).is_none_or(|id| id == authserv_id)
        }
        name => {
            let ours = ["x-spam", "x-rspamd"];
            ours.iter().any(|prefix| name.starts_with(prefix))
        }
    }
}

/// The authserv-id of a field (RFC 8601 §2.2), lowercase; comments in front of it and quotes do not
/// hide it. `None` if it cannot be told.
fn claimed_id(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value).to_lowercase();
    let mut depth = 0_usize;
    let mut is_escaped = false;
    let mut id = String::new();
    for c in text.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            _ if depth > 0 => {}
            ';' => break,
            c if c.is_whitespace() && id.is_empty() => {}
            c if c.is_whitespace() => break,
            '"' => {}
            c => id.push(c),
        }
    }
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str) -> String {
        let content = Bytes::copy_from_slice(text.as_bytes());
        String::from_utf8(without_forgeries(&content, "mx.example.com").to_vec()).unwrap()
    }

    #[test]
    fn what_claims_to_be_ours_is_removed_and_nothing_else() {
        let kept = "Received: a\r\n\tb\r\nAuthentication-Results: other.example; spf=pass\r\n\
                    Subject: x\r\nX-Spoon: y\r\n\r\nX-Spam: yes\r\n";
        assert_eq!(cleaned(kept), kept);
        for forged in [
            "Authentication-Results: mx.example.com; spf=pass\r\n",
            "AUTHENTICATION-RESULTS :\r\n\t(x(y)) MX.Example.COM 1;\r\n dkim=pass\r\n",
            "Authentication-Results: \"mx.example.com\"; none\r\n",
            "Authentication-Results: (unclosed\r\n",
            "X-Spam: no\r\n",
            "X-Spam-Status: No, score=-5\r\n  tests=NONE\r\n",
            "X-Rspamd-Action: no action\r\n",
            "X-Eider-Spam: 0\r\n",
        ] {
            assert_eq!(cleaned(&format!("{forged}{kept}")), kept, "{forged}");
            let (first, rest) = kept.split_at("Received: a\r\n\tb\r\n".len());
            assert_eq!(cleaned(&format!("{first}{forged}{rest}")), kept, "{forged}");
        }
    }

    #[test]
    fn any_octets_are_read() {
        for text in ["", "\r\n", "a", ":", " x\r\n y", "X-Spam", "X-Spam:", "a\nb", "\n\n"] {
            let left = cleaned(text);
            assert!(left == text || left.is_empty(), "{text:?}");
        }
    }
}
