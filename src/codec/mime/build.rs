//! Composing a message from its fields, for the API's upload.
//!
//! RFC 5322, RFC 2046; the octets are `mail-builder`'s. It knows no clock and no randomness: date
//! and Message-ID are given.

use super::data_links::inline_data_links;
use super::text::html_to_text;
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::model::structure::NamedAddress;
use mail_builder::MessageBuilder;
use mail_builder::encoders::base64::Base64Encoder;
use mail_builder::encoders::quoted_printable::QuotedPrintableEncoder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::{BodyPart, MimePart};

/// How an attachment is encoded (RFC 2045 §6).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// What suits the octets.
    #[default]
    Fitting,
    /// base64
    Base64,
    /// quoted-printable
    QuotedPrintable,
}

/// An attachment of a draft.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct NewAttachment {
    /// File name.
    pub filename: Option<String>,
    /// `type/subtype`; `application/octet-stream` if none.
    pub content_type: Option<String>,
    /// Content-ID without angle brackets.
    pub cid: Option<String>,
    /// Content-Disposition is `inline`.
    pub is_inline: bool,
    /// Content-Transfer-Encoding.
    pub encoding: Encoding,
    /// Decoded octets.
    pub octets: Vec<u8>,
}

/// What a message is composed from.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Draft {
    /// From.
    pub from: Option<NamedAddress>,
    /// Reply-To.
    pub reply_to: Option<NamedAddress>,
    /// To.
    pub to: Vec<NamedAddress>,
    /// Cc.
    pub cc: Vec<NamedAddress>,
    /// Bcc; kept in the stored message.
    pub bcc: Vec<NamedAddress>,
    /// Subject.
    pub subject: Option<String>,
    /// Further fields.
    pub headers: Vec<(String, String)>,
    /// Text; made from the HTML if there is none.
    pub text: Option<String>,
    /// HTML; `data:` pictures become inline attachments.
    pub html: Option<String>,
    /// Attachments.
    pub attachments: Vec<NewAttachment>,
    /// Date in milliseconds since 1970.
    pub date_ms: i64,
    /// Message-ID without angle brackets.
    pub message_id: String,
}

/// The octets of a message.
///
/// # Errors
/// `Invalid` when a field name or content type is none, or names a field that the composer writes
/// itself.
pub fn compose(mut draft: Draft) -> Result<Vec<u8>> {
    let mut builder = MessageBuilder::new();
    let attachments = std::mem::take(&mut draft.attachments);
    let body = body(draft.text.take(), draft.html.take(), attachments, &draft.message_id)?;
    for (name, value) in address_fields(&draft) {
        builder = builder.header(name, value);
    }
    if let Some(subject) = &draft.subject {
        builder = builder.header("Subject", Text::new(one_line(subject)));
    }
    for (name, value) in &draft.headers {
        builder = builder.header(field_name(name)?, field_value(value));
    }
    let has =
        |wanted: &str| draft.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if !has("Message-ID") {
        builder = builder.header("Message-ID", Raw::new(format!("<{}>", draft.message_id)));
    }
    if !has("Date") {
        builder = builder.header("Date", Date::new(draft.date_ms.div_euclid(1000)));
    }
    builder.body(body).write_to_vec().map_err(|error| Error::internal("composing a message", error))
}

fn address_fields(draft: &Draft) -> Vec<(&'static str, HeaderType<'static>)> {
    let one = |address: &Option<NamedAddress>| address.clone().into_iter().collect::<Vec<_>>();
    let fields = [
        ("From", one(&draft.from)),
        ("Reply-To", one(&draft.reply_to)),
        ("To", draft.to.clone()),
        ("Cc", draft.cc.clone()),
        ("Bcc", draft.bcc.clone()),
    ];
    let mut written = Vec::new();
    for (name, addresses) in fields {
        let list: Vec<Address<'static>> = addresses.iter().filter_map(address).collect();
        if !list.is_empty() {
            written.push((name, HeaderType::Address(Address::new_list(list))));
        }
    }
    written
}

/// `None` for an address that cannot be written.
fn address(named: &NamedAddress) -> Option<Address<'static>> {
    let checked = EmailAddress::new(named.address.trim()).ok()?;
    // RFC 6532 §3.2: only an address with a non-ASCII local part needs its domain in UTF-8
    let domain = if checked.local().is_ascii() {
        idna::domain_to_ascii(checked.domain()).ok()?
    } else {
        checked.domain().to_owned()
    };
    let name = Some(one_line(&named.name)).filter(|name| !name.is_empty());
    Some(Address::new_address(name, format!("{}@{domain}", checked.local())))
}

/// Whether an address can stand in a header.
pub fn is_writable(named: &NamedAddress) -> bool {
    address(named).is_some()
}

fn one_line(value: &str) -> String {
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

/// The name of a further field (RFC 5322 §2.2), in the case the builder looks for.
fn field_name(name: &str) -> Result<String> {
    let bad = |reason: &str| Err(Error::invalid("headers", reason));
    let name = name.trim();
    if name.is_empty()
        || name.len() > 255
        || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':')
    {
        return bad("a header key has only visible ASCII characters and no colon");
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("content-") || lower == "mime-version" {
        return bad("the MIME fields are written by the composer");
    }
    if ["from", "reply-to", "to", "cc", "bcc", "subject"].contains(&lower.as_str()) {
        return bad("addresses and subject have parameters of their own");
    }
    Ok(match lower.as_str() {
        "message-id" => "Message-ID".to_owned(),
        "date" => "Date".to_owned(),
        _ => name.to_owned(),
    })
}

fn field_value(value: &str) -> HeaderType<'static> {
    let value = one_line(value);
    if value.is_ascii() { Raw::new(value).into() } else { Text::new(value).into() }
}

/// The MIME tree: mixed(related(alternative(text, html), inline…), attachment…), with the levels
/// that are needed.
fn body(
    text: Option<String>,
    html: Option<String>,
    attachments: Vec<NewAttachment>,
    seed: &str,
) -> Result<MimePart<'static>> {
    let mut inline = Vec::new();
    let html = html.map(|html| inline_data_links(&html, seed, &mut inline));
    let text = text.or_else(|| html.as_deref().map(html_to_text));
    let mut attached = Vec::new();
    for attachment in attachments {
        if html.is_some() && attachment.cid.is_some() { &mut inline } else { &mut attached }
            .push(attachment);
    }
    let shown = match (text, html) {
        (text, Some(html)) => MimePart::new(
            "multipart/alternative",
            vec![text_part("text/plain", text.unwrap_or_default()), text_part("text/html", html)],
        ),
        (text, None) => text_part("text/plain", text.unwrap_or_default()),
    };
    let shown = with_attachments("multipart/related", shown, inline)?;
    with_attachments("multipart/mixed", shown, attached)
}

fn text_part(kind: &'static str, text: String) -> MimePart<'static> {
    MimePart::new(kind, BodyPart::Text(text.into()))
}

fn with_attachments(
    kind: &'static str,
    first: MimePart<'static>,
    attachments: Vec<NewAttachment>,
) -> Result<MimePart<'static>> {
    if attachments.is_empty() {
        return Ok(first);
    }
    let mut parts = vec![first];
    for attachment in attachments {
        parts.push(attachment_part(attachment)?);
    }
    Ok(MimePart::new(kind, parts))
}

fn attachment_part(attachment: NewAttachment) -> Result<MimePart<'static>> {
    let kind = attachment.content_type.unwrap_or_else(|| "application/octet-stream".into());
    let (kind, _) = kind.split_once(';').unwrap_or((kind.as_str(), ""));
    let kind = kind.trim().to_ascii_lowercase();
    if !is_media_type(&kind) {
        return Err(Error::invalid("attachments", "contentType has the form type/subtype"));
    }
    let mut disposition =
        ContentType::new(if attachment.is_inline { "inline" } else { "attachment" });
    if let Some(filename) = attachment.filename.as_deref().map(one_line).filter(|f| !f.is_empty()) {
        disposition = disposition.attribute("filename", filename);
    }
    let (encoding, octets) = encode(&kind, attachment.encoding, attachment.octets);
    // not `new` with text: it would claim a charset we do not know
    let mut part = MimePart::raw(octets)
        .header("Content-Type", ContentType::new(kind))
        .header("Content-Disposition", disposition)
        .transfer_encoding(encoding);
    if let Some(cid) = attachment.cid {
        let cid = one_line(&cid);
        let cid = cid.trim_start_matches('<').trim_end_matches('>').replace(['<', '>', ' '], "");
        part = part.cid(cid);
    }
    Ok(part)
}

fn encode(kind: &str, encoding: Encoding, octets: Vec<u8>) -> (&'static str, Vec<u8>) {
    // RFC 2046 §5.2.1: a message is never encoded
    if kind == "message/rfc822" || kind == "message/global" {
        let encoding = if octets.is_ascii() { "7bit" } else { "8bit" };
        return (encoding, crlf_lines(&octets));
    }
    match encoding {
        Encoding::Base64 | Encoding::Fitting => {
            let mut encoded = Vec::with_capacity(octets.len() / 3 * 4 + octets.len() / 57 * 2 + 8);
            Base64Encoder::new().wrap_lines().encode_into(&octets, &mut encoded);
            // RFC 2046 §5.1.1: the line end before a boundary belongs to the boundary
            if encoded.ends_with(b"\r\n") {
                encoded.truncate(encoded.len() - 2);
            }
            ("base64", encoded)
        }
        Encoding::QuotedPrintable => {
            let mut encoded = Vec::with_capacity(octets.len() + octets.len() / 8);
            QuotedPrintableEncoder::new().encode_into(&octets, &mut encoded);
            ("quoted-printable", encoded)
        }
    }
}

fn crlf_lines(octets: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(octets.len());
    for &octet in octets {
        if octet == b'\n' && lines.last() != Some(&b'\r') {
            lines.push(b'\r');
        }
        lines.push(octet);
    }
    lines
}

fn is_media_type(kind: &str) -> bool {
    let is_token = |text: &str| {
        !text.is_empty()
            && text.len() <= 127
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    // a multipart needs parts, which an attachment has not
    kind.split_once('/')
        .is_some_and(|(main, sub)| is_token(main) && is_token(sub) && main != "multipart")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::{MessageParser, MimeHeaders};

    fn named(name: &str, address: &str) -> NamedAddress {
        NamedAddress { name: name.into(), address: address.into() }
    }

    fn draft() -> Draft {
        Draft {
            from: Some(named("Jürgen", "j@bücher.example")),
            to: vec![named("", "a@example.com"), named("x", "not an address")],
            subject: Some("Grüße\r\nBcc: evil@example.com".into()),
            date_ms: 1_700_000_000_123,
            message_id: "1@example.com".into(),
            ..Draft::default()
        }
    }

    #[test]
    fn a_composed_message_reads_back() {
        let mut draft = draft();
        draft.html = Some("<p>Hallo <img src=\"data:image/png;base64,AAEC\"></p>".into());
        draft.headers = vec![("X-A".into(), "1\r\nX-B: 2".into())];
        draft.attachments = vec![NewAttachment {
            filename: Some("Übersicht.txt".into()),
            content_type: Some("text/plain".into()),
            octets: b"attached".to_vec(),
            ..NewAttachment::default()
        }];
        let octets = compose(draft).unwrap();
        let message = MessageParser::default().parse(&octets).unwrap();
        assert_eq!(message.subject(), Some("Grüße  Bcc: evil@example.com"));
        assert!(message.bcc().is_none() && message.header("X-B").is_none());
        assert_eq!(message.message_id(), Some("1@example.com"));
        assert_eq!(message.to().unwrap().iter().count(), 1);
        assert_eq!(
            message.from().unwrap().first().unwrap().address(),
            Some("j@xn--bcher-kva.example")
        );
        assert!(message.body_text(0).unwrap().contains("Hallo"));
        assert!(message.body_html(0).unwrap().contains("src=\"cid:"));
        assert_eq!(message.attachment_count(), 2);
        let names: Vec<_> = message.attachments().filter_map(|a| a.attachment_name()).collect();
        assert!(names.contains(&"Übersicht.txt"), "{names:?}");
        assert!(message.attachments().any(|part| part.contents() == b"attached"));
        assert!(message.attachments().any(|part| part.contents() == [0, 1, 2]));
    }

    #[test]
    fn the_smallest_draft_is_a_message() {
        let octets = compose(Draft { message_id: "1@x".into(), ..Draft::default() }).unwrap();
        let message = MessageParser::default().parse(&octets).unwrap();
        assert_eq!(message.date().unwrap().to_timestamp(), 0);
    }

    #[test]
    fn structural_fields_are_refused() {
        for name in ["Content-Type", "mime-version", "From", "a b", "a:b", "", "ä"] {
            let headers = vec![(name.to_owned(), "x".to_owned())];
            assert!(compose(Draft { headers, ..draft() }).is_err(), "{name}");
        }
        let attachments = vec![NewAttachment {
            content_type: Some("multipart/mixed".into()),
            ..Default::default()
        }];
        assert!(compose(Draft { attachments, ..draft() }).is_err());
    }

    #[test]
    fn an_attached_message_is_not_encoded() {
        let attachments = vec![NewAttachment {
            content_type: Some("message/rfc822".into()),
            octets: b"Subject: inner\n\nbody\n".to_vec(),
            ..NewAttachment::default()
        }];
        let octets = compose(Draft { attachments, ..draft() }).unwrap();
        let text = String::from_utf8(octets).unwrap();
        assert!(
            text.contains("Content-Transfer-Encoding: 7bit\r\n\r\nSubject: inner\r\n\r\nbody\r\n")
        );
    }
}
