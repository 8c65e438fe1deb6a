//! What lists show of a message: decoded header fields and a preview, all bounded.

use mail_parser::DateTime;

use super::address_list::{self, Item};
use super::envelope::Named;
use super::header::{Structured, first, unfold};
use super::{html, text, word};
use crate::model::structure::{NamedAddress, Part, Summary};

/// Characters of a preview.
const PREVIEW_CHARS: usize = 128;
/// Octets of a body that are read for the preview: enough for a screen of markup.
const PREVIEW_OCTETS_READ: usize = 32 * 1024;
/// Message ids kept of In-Reply-To and References.
const REFERENCES_MAX: usize = 100;
/// Characters kept of a subject.
const SUBJECT_CHARS_MAX: usize = 1000;
/// Characters kept of a name or an address (RFC 5321 §4.5.3.1 allows 64 + 1 + 255).
const ADDRESS_CHARS_MAX: usize = 320;
/// Addresses kept of one field.
const ADDRESSES_MAX: usize = 200;
/// Octets of a message id that is kept; a line has no more (RFC 5322 §2.1.1).
const MESSAGE_ID_OCTETS_MAX: usize = 998;

pub(super) fn read(content: &[u8], root: &Part, named: &Named<'_>) -> Summary {
    let from = addresses(named.from);
    let message_ids = named.message_id.map(message_ids).unwrap_or_default();
    let mut references = Vec::new();
    add_ids(named.references, &mut references);
    let references_own = references.len();
    add_ids(named.in_reply_to, &mut references);
    Summary {
        subject: shortened(named.subject.map(word::decode).unwrap_or_default(), SUBJECT_CHARS_MAX),
        from: if from.is_empty() { addresses(named.sender) } else { from },
        to: addresses(named.to),
        cc: addresses(named.cc),
        bcc: addresses(named.bcc),
        message_id: message_ids.into_iter().next().unwrap_or_default(),
        references,
        references_own,
        date_ms: named.date.and_then(date_ms),
        preview: preview(content, root),
        has_attachments: has_attachments(root, false),
        encrypted: is_encrypted(content, root),
    }
}

fn shortened(text: String, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

fn addresses(field: Option<&[u8]>) -> Vec<NamedAddress> {
    let items = field.map(address_list::parse).unwrap_or_default();
    items
        .into_iter()
        .filter_map(|item| match item {
            Item::Address(address) => Some(address),
            Item::GroupStart(_) | Item::GroupEnd => None,
        })
        .filter(|address| !address.mailbox.is_empty())
        .take(ADDRESSES_MAX)
        .map(|address| {
            let local = word::decode(&address.mailbox);
            let domain = domain(&word::decode(&address.host));
            NamedAddress {
                name: shortened(word::decode(&address.name), ADDRESS_CHARS_MAX),
                address: shortened(
                    match domain.is_empty() {
                        true => local,
                        false => format!("{local}@{domain}"),
                    },
                    ADDRESS_CHARS_MAX,
                ),
            }
        })
        .collect()
}

/// The domain in Unicode (RFC 5890 §2.3.2.1), as written if it is not a proper one.
fn domain(given: &str) -> String {
    // RFC 1035 §2.3.4: longer is no domain, and decoding takes more than linear time.
    if given.len() > 255 || !given.to_ascii_lowercase().contains("xn--") {
        return given.to_owned();
    }
    match idna::domain_to_unicode(given) {
        (unicode, Ok(())) => unicode,
        (_, Err(_)) => given.to_owned(),
    }
}

/// Adds the ids of a field that are not there yet. Of too many the last ones: they are nearest.
fn add_ids(field: Option<&[u8]>, ids: &mut Vec<String>) {
    let found = field.map(message_ids).unwrap_or_default();
    for id in found.into_iter().rev().take(REFERENCES_MAX - ids.len()).rev() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
}

/// The message ids of a field, with their angle brackets; a bare word gets some.
fn message_ids(raw: &[u8]) -> Vec<String> {
    let value = unfold(raw);
    let mut ids = Vec::new();
    for piece in value.split(|octet| *octet == b'<').skip(1) {
        let Some(id) =
            piece.split(|octet| *octet == b'>').next().filter(|id| id.len() < piece.len())
        else {
            continue;
        };
        let id: Vec<u8> = id.iter().copied().filter(u8::is_ascii_graphic).collect();
        if !id.is_empty() && id.len() <= MESSAGE_ID_OCTETS_MAX {
            ids.push(format!("<{}>", String::from_utf8_lossy(&id)));
        }
    }
    let is_word = !value.is_empty() && value.iter().all(u8::is_ascii_graphic);
    if ids.is_empty() && is_word && !value.contains(&b'<') && value.len() <= MESSAGE_ID_OCTETS_MAX {
        ids.push(format!("<{}>", String::from_utf8_lossy(&value)));
    }
    ids
}

/// RFC 5322 §3.3 and §4.3, leap seconds allowed.
pub(super) fn date_ms(raw: &[u8]) -> Option<i64> {
    let value = unfold(raw);
    let text = String::from_utf8_lossy(value.get(..value.len().min(200))?).into_owned();
    let date = DateTime::parse_rfc822(&format!("{text}\n"))?;
    let is_sane = (1900..=9999).contains(&date.year)
        && (1..=31).contains(&date.day)
        && date.hour <= 23
        && date.minute <= 59
        && date.second <= 60;
    is_sane.then(|| date.to_timestamp().saturating_mul(1000))
}

fn preview(content: &[u8], root: &Part) -> String {
    for subtype in ["plain", "html"] {
        let Some(part) = text_part(root, subtype) else { continue };
        let body = usize::try_from(part.body.start)
            .ok()
            .zip(usize::try_from(part.body.end).ok())
            .and_then(|(start, end)| content.get(start..end.min(start + PREVIEW_OCTETS_READ)));
        let decoded = text::decode_text(part, body.unwrap_or_default());
        let plain = if subtype == "html" { html::to_plain(&decoded) } else { decoded };
        let line = one_line(&plain);
        if !line.is_empty() {
            return line;
        }
    }
    String::new()
}

/// The first text of that subtype that is shown, not inside an attached message.
fn text_part<'a>(part: &'a Part, subtype: &str) -> Option<&'a Part> {
    if part.is_multipart() {
        return part.children.iter().find_map(|child| text_part(child, subtype));
    }
    let is_shown = part.disposition.as_deref() != Some("attachment");
    (part.media_type == "text" && part.media_subtype == subtype && is_shown).then_some(part)
}

/// The first characters, white space and controls made single spaces.
fn one_line(text: &str) -> String {
    let mut out = String::new();
    let mut chars = 0usize;
    let mut space = false;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() || character == '\u{feff}' {
            space = chars > 0;
            continue;
        }
        if chars + usize::from(space) >= PREVIEW_CHARS {
            break;
        }
        if std::mem::take(&mut space) {
            out.push(' ');
            chars += 1;
        }
        out.push(character);
        chars += 1;
    }
    out
}

/// Whether a part is shown as attachment: not the text itself, and not what the text refers to.
fn has_attachments(part: &Part, in_related: bool) -> bool {
    if part.is_multipart() {
        let is_related = part.media_subtype == "related";
        return part.children.iter().any(|child| has_attachments(child, is_related));
    }
    if part.disposition.as_deref() == Some("attachment") {
        return true;
    }
    if part.media_type == "text" {
        let is_body = matches!(part.media_subtype.as_str(), "plain" | "html");
        return !is_body && part.filename.is_some();
    }
    !(in_related && part.content_id.is_some())
}

/// RFC 1847 §2.2, or RFC 8551 §3.3.
fn is_encrypted(content: &[u8], root: &Part) -> bool {
    match (root.media_type.as_str(), root.media_subtype.as_str()) {
        ("multipart", "encrypted") => true,
        ("application", "pkcs7-mime" | "x-pkcs7-mime") => {
            let header = usize::try_from(root.header.end).ok().and_then(|end| content.get(..end));
            let kind = first(header.unwrap_or_default(), "content-type")
                .map(Structured::parse)
                .and_then(|value| value.decoded("smime-type"));
            kind.is_none_or(|kind| {
                matches!(
                    kind.to_ascii_lowercase().as_str(),
                    "enveloped-data" | "authenveloped-data"
                )
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::structure::parse;

    #[test]
    fn summary_is_decoded() {
        let message = "From: =?utf-8?q?J=C3=B6rg?= <j@xn--bcher-kva.example>\r\n\
            To: g: a@b.c, \"B\" <b@b.c>;\r\nSubject: =?iso-8859-1?q?gr=FC=DFe?=\r\n\
            Message-ID: <1@x>\r\nIn-Reply-To: <2@x>\r\nReferences: <3@x>\r\n <2@x>\r\n\
            Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nContent-Type: multipart/mixed; boundary=b\r\n\
            \r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Hi  <b>you</b>\r\n--b\r\n\
            Content-Type: image/png\r\n\r\n\r\n--b--\r\n";
        let summary = parse(message.as_bytes()).summary;
        assert_eq!(summary.subject, "grüße");
        assert_eq!(summary.from[0].name, "Jörg");
        assert_eq!(summary.from[0].address, "j@bücher.example");
        assert_eq!(summary.to.len(), 2);
        assert_eq!(summary.message_id, "<1@x>");
        assert_eq!(summary.references, ["<3@x>", "<2@x>"]);
        assert_eq!(summary.ancestors(), ["<3@x>", "<2@x>"]);
        assert_eq!(summary.date_ms, Some(880_127_706_000));
        assert_eq!(summary.preview, "Hi you");
        assert!(summary.has_attachments && !summary.encrypted);
    }

    #[test]
    fn ancestors_are_references_or_in_reply_to() {
        let ancestors = |header: &str| {
            let summary = parse(format!("{header}\r\n\r\n").as_bytes()).summary;
            (summary.ancestors().join(" "), summary.references.join(" "))
        };
        let both = "In-Reply-To: <9@x>\r\nReferences: <1@x> <2@x> <1@x>";
        assert_eq!(ancestors(both), ("<1@x> <2@x>".into(), "<1@x> <2@x> <9@x>".into()));
        let one = "In-Reply-To: <9@x> <8@x>";
        assert_eq!(ancestors(one), ("<9@x>".into(), "<9@x> <8@x>".into()));
        assert_eq!(ancestors("Subject: x").0, "");
        let many: String = (0..200).map(|number| format!(" <{number}@x>")).collect();
        let summary = parse(format!("References:{many}\r\n\r\n").as_bytes()).summary;
        assert_eq!(summary.references.len(), 100);
        assert_eq!(summary.references[99], "<199@x>");
    }

    #[test]
    fn sender_stands_in_and_preview_is_bounded() {
        let message = format!("Sender: a@b\r\n\r\n{}", "ä b\r\n".repeat(1000));
        let summary = parse(message.as_bytes()).summary;
        assert_eq!(summary.from[0].address, "a@b");
        assert!(summary.preview.chars().count() <= 128);
        assert!(summary.preview.starts_with("ä b ä b"));
        assert!(!summary.has_attachments);
        assert_eq!(summary.date_ms, None);
    }

    #[test]
    fn encrypted_mail_is_seen() {
        let encrypted = |header: &str| parse(header.as_bytes()).summary.encrypted;
        assert!(encrypted("Content-Type: multipart/encrypted; boundary=x\r\n\r\n"));
        assert!(encrypted(
            "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n"
        ));
        assert!(!encrypted("Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\n"));
    }
}
