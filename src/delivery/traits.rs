//! What rules look at in a message, read once for all its recipients.
//!
//! Header fields as text with their encoded words decoded; the text only when a rule asks for it.

use crate::codec::mime::fields::unicode_domain;
use crate::codec::mime::header::fields;
use crate::codec::mime::text::{decode_header_value, decode_text, html_to_text};
use crate::mailstore::append::Prepared;
use crate::model::structure::Part;
use std::sync::OnceLock;

/// Octets of encoded text that are read for conditions on the text.
const TEXT_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// Octets of one field that are read.
const FIELD_OCTETS_MAX: usize = 64 * 1024;

/// The traits of one message.
#[derive(Debug)]
pub struct Traits {
    prepared: Prepared,
    text: OnceLock<String>,
    /// From and Sender, lowercase.
    pub from: String,
    /// To, Cc and Delivered-To, lowercase.
    pub to: String,
    /// Subject, lowercase.
    pub subject: String,
    /// What List-Id has in its brackets, else all of it, lowercase.
    pub list_id: String,
    /// It has attachments.
    pub has_attachments: bool,
    /// Octets of the content.
    pub octets: u64,
    /// 0 to 100, what a spam filter in front of us said.
    pub spam_score: u64,
    /// The domain of the first From address, lowercase Unicode.
    pub from_domain: String,
    /// The message was made by a program, or for many: nobody answers it by himself.
    pub is_automatic: bool,
    /// Received fields.
    pub hops: usize,
    /// Marks of our own that tell who forwarded it already.
    pub seen_marks: Vec<String>,
}

impl Traits {
    /// Reads a message's header.
    pub fn read(prepared: &Prepared) -> Self {
        let root = &prepared.structure.root;
        let end = usize::try_from(root.header.end).unwrap_or(usize::MAX);
        let header = prepared.content.get(..end).unwrap_or(&prepared.content);
        let from = prepared.structure.summary.from.first();
        let domain = from.and_then(|from| from.address.rsplit_once('@')).map(|(_, domain)| domain);
        let mut traits = Self {
            prepared: prepared.clone(),
            text: OnceLock::new(),
            from: String::new(),
            to: String::new(),
            subject: String::new(),
            list_id: String::new(),
            has_attachments: prepared.structure.summary.has_attachments,
            octets: u64::try_from(prepared.content.len()).unwrap_or(u64::MAX),
            spam_score: 0,
            from_domain: domain.unwrap_or_default().to_lowercase(),
            is_automatic: false,
            hops: 0,
            seen_marks: Vec::new(),
        };
        for field in fields(header) {
            let raw = field.value.get(..FIELD_OCTETS_MAX).unwrap_or(field.value);
            traits.add(&String::from_utf8_lossy(field.name).to_ascii_lowercase(), raw);
        }
        traits
    }

    /// The same with header fields of our own in front.
    pub fn read_with(prepared: &Prepared, lines: &[u8]) -> Self {
        let mut traits = Self::read(prepared);
        for field in fields(lines).take(1000) {
            let name = String::from_utf8_lossy(field.name).to_ascii_lowercase();
            traits.add(&name, field.value);
        }
        traits
    }

    fn add(&mut self, name: &str, raw: &[u8]) {
        let value = || decode_header_value(raw).trim().to_lowercase();
        match name {
            "from" | "sender" => add_line(&mut self.from, &addresses(&value())),
            "to" | "cc" | "delivered-to" => add_line(&mut self.to, &addresses(&value())),
            "subject" => add_line(&mut self.subject, &value()),
            "list-id" => {
                let value = value();
                let inner = value.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
                self.list_id = inner.map_or(value.clone(), |(id, _)| id.to_owned());
                self.is_automatic = true;
            }
            "received" => self.hops += 1,
            "x-eider-seen" => self.seen_marks.push(value()),
            // RFC 3834 §2: not to answers, lists and the like
            "auto-submitted" => self.is_automatic |= !value().starts_with("no"),
            "precedence" => {
                self.is_automatic |= ["list", "junk", "bulk"].contains(&value().as_str());
            }
            "list-unsubscribe" | "x-auto-response-suppress" => self.is_automatic = true,
            _ => self.spam_score = self.spam_score.max(spam_score(name, &value)),
        }
    }

    /// The whole text, lowercase, of all parts that are text; HTML without its markup.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let mut text = String::new();
            let mut left = TEXT_OCTETS_MAX;
            add_text(&self.prepared.content, &self.prepared.structure.root, &mut left, &mut text);
            text.to_lowercase()
        })
    }
}

fn add_line(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// The same with domains in Unicode: people write rules in their own letters.
fn addresses(value: &str) -> String {
    if !value.contains("xn--") {
        return value.to_owned();
    }
    let words = value.split_inclusive(|c: char| c.is_whitespace() || "<>,;()".contains(c));
    words
        .map(|word| {
            let end = word.trim_end_matches(|c: char| c.is_whitespace() || "<>,;()".contains(c));
            format!("{}{}", unicode_domain(end), word.get(end.len()..).unwrap_or_default())
        })
        .collect()
}

/// The verdict of the spam filter in front of us, on the scale of the users' levels
/// (`reference/behaviours.md` §6).
fn spam_score(name: &str, value: &impl Fn() -> String) -> u64 {
    match name {
        // Ours, in front of what comes from strangers (`screening`)
        "x-eider-spam" => value().parse().unwrap_or(0).min(100),
        "x-spam" | "x-spam-flag" => u64::from(value() == "yes") * 25,
        "x-spam-status" => u64::from(value().starts_with("yes")) * 25,
        "x-rspamd-action" => match value().as_str() {
            "reject" => 75,
            "rewrite subject" | "soft reject" | "greylist" => 50,
            "add header" => 25,
            _ => 0,
        },
        _ => 0,
    }
}

fn add_text(content: &[u8], part: &Part, left: &mut usize, text: &mut String) {
    for child in &part.children {
        add_text(content, child, left, text);
    }
    let is_attachment = part.disposition.as_deref() == Some("attachment");
    if !part.children.is_empty() || part.media_type != "text" || is_attachment {
        return;
    }
    let bound = |octet: u64| usize::try_from(octet).unwrap_or(usize::MAX);
    let body = content.get(bound(part.body.start)..bound(part.body.end)).unwrap_or_default();
    let body = body.get(..*left).unwrap_or(body);
    *left -= body.len();
    let decoded = decode_text(part, body);
    add_line(text, &if part.media_subtype == "html" { html_to_text(&decoded) } else { decoded });
}

#[cfg(test)]
pub(super) fn traits_of(content: &[u8]) -> Traits {
    let structure = crate::codec::mime::structure::parse(content);
    Traits::read(&Prepared {
        content: bytes::Bytes::copy_from_slice(content),
        hash: crate::model::id::ContentHash([0; 32]),
        structure: std::sync::Arc::new(structure),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_joined() {
        let traits = traits_of(
            b"Received: a\r\nReceived: b\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <J@Xn--bcher-kva.Example>\r\n\
              Sender: s@x.example\r\nTo: a@x.example,\r\n b@x.example\r\nCc: c@x.example\r\n\
              List-Id: My list <L.x.example>\r\nSubject: Hello\r\nX-Spam-Flag: YES\r\n\
              X-Rspamd-Action: greylist\r\n\r\nText\r\n",
        );
        assert_eq!(traits.from, "jürgen <j@bücher.example>\ns@x.example");
        assert!(traits.to.contains("b@x.example") && traits.to.contains("c@x.example"));
        assert_eq!((traits.list_id.as_str(), traits.hops), ("l.x.example", 2));
        assert_eq!((traits.spam_score, traits.is_automatic), (50, true));
        assert_eq!(traits.from_domain, "bücher.example");
        assert_eq!(traits.text().trim(), "text");
    }

    #[test]
    fn programs_are_recognised() {
        let is_automatic = |field: &str| {
            traits_of(format!("{field}\r\nSubject: x\r\n\r\n").as_bytes()).is_automatic
        };
        for field in [
            "Auto-Submitted: auto-generated",
            "Precedence: BULK",
            "List-Unsubscribe: <mailto:x@y>",
            "X-Auto-Response-Suppress: OOF",
            "List-Id: <x>",
        ] {
            assert!(is_automatic(field), "{field}");
        }
        assert!(!is_automatic("Auto-Submitted: no") && !is_automatic("Precedence: first-class"));
    }

    #[test]
    fn any_octets_are_read() {
        for content in [&b""[..], b"\xff\xfe", b"From", b": \r\n\r\n", b"List-Id: >x<\r\n"] {
            traits_of(content).text();
        }
    }
}
