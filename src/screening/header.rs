//! What a stranger's message must not say in our name.
//!
//! RFC 8601 §5: Authentication-Results that claim to be ours are removed at the border. So are the
//! fields that a spam filter of ours would write (`X-Spam…`, `X-Rspamd…`, `X-Eider-Spam`): delivery
//! believes them. Everything else stays as it is, octet for octet.

use crate::codec::mime::header::{Field, fields};
use bytes::{Bytes, BytesMut};

/// Fields of this message's header that are ours to write are removed; the same octets if there are
/// none.
pub fn without_forgeries(content: &Bytes, authserv_id: &str) -> Bytes {
    edited(content, |name, field| is_forgery(name, field.value, authserv_id).then(Vec::new))
}

/// The message with some header fields replaced: `edit` gets each with its lowercase name, and
/// returns what takes its place with its line end, nothing to remove it, `None` to keep it.
pub(super) fn edited(
    content: &Bytes,
    mut edit: impl FnMut(&str, &Field<'_>) -> Option<Vec<u8>>,
) -> Bytes {
    let mut changed: Option<BytesMut> = None;
    // What lies before is in `changed`, if anything was changed
    let mut start = 0_usize;
    let mut at = 0_usize;
    for field in fields(content) {
        let end = at.saturating_add(field.raw.len());
        let name = String::from_utf8_lossy(field.name).trim_end().to_ascii_lowercase();
        if let Some(new) = edit(&name, &field) {
            let changed = changed.get_or_insert_default();
            changed.extend_from_slice(content.get(start..at).unwrap_or_default());
            changed.extend_from_slice(&new);
            start = end;
        }
        at = end;
    }
    match changed {
        None => content.clone(),
        Some(mut changed) => {
            changed.extend_from_slice(content.get(start..).unwrap_or_default());
            changed.freeze()
        }
    }
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
