//! BODY and BODYSTRUCTURE in wire form (RFC 3501 §7.4.2, RFC 9051 §7.5.2).

use super::envelope::{self, Named};
use super::header::{Structured, first, unfold};
use super::parser::{is_message_type, media_type};
use super::wire::{nstring, number, string};
use crate::model::structure::{ByteRange, Part};

/// What an encoded, unreadable message shows as its inside; a message/rfc822 must have one.
const UNREAD_MESSAGE: &[u8] = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) \
    (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)";

/// How a structure is written.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// BODYSTRUCTURE; else BODY.
    pub(super) is_extended: bool,
    /// Without anything that is as long as the sender likes: parameters, envelopes, descriptions.
    pub(super) is_bare: bool,
}

/// Writes the structure of a part.
pub(super) fn write(content: &[u8], part: &Part, form: Form, out: &mut Vec<u8>) {
    let header = header_of(content, part, form);
    let structured = |name: &str| first(header, name).map(Structured::parse);
    // Parameters of a broken Content-Type belong to no known type.
    let content_type =
        structured("content-type").filter(|value| media_type(value).is_some()).unwrap_or_default();
    out.push(b'(');
    if part.is_multipart() {
        for child in &part.children {
            write(content, child, form, out);
        }
        out.push(b' ');
        string(part.media_subtype.as_bytes(), out);
        if form.is_extended {
            out.push(b' ');
            parameters(&content_type, false, out);
        }
    } else {
        leaf(content, part, &content_type, form, out);
        if form.is_extended {
            out.push(b' ');
            nstring(first(header, "content-md5").map(unfold).as_deref(), out);
        }
    }
    if form.is_extended {
        out.push(b' ');
        disposition(structured("content-disposition"), out);
        out.push(b' ');
        languages(first(header, "content-language"), out);
        out.push(b' ');
        nstring(first(header, "content-location").map(unfold).as_deref(), out);
    }
    out.push(b')');
}

fn header_of<'a>(content: &'a [u8], part: &Part, form: Form) -> &'a [u8] {
    if form.is_bare { &[] } else { slice(content, part.header) }
}

fn slice(content: &[u8], range: ByteRange) -> &[u8] {
    let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    bounds.and_then(|(start, end)| content.get(start..end)).unwrap_or_default()
}

/// The fields of a part that is no multipart, up to the line count.
fn leaf(content: &[u8], part: &Part, content_type: &Structured, form: Form, out: &mut Vec<u8>) {
    let header = header_of(content, part, form);
    let is_text = part.media_type == "text";
    string(part.media_type.as_bytes(), out);
    out.push(b' ');
    string(part.media_subtype.as_bytes(), out);
    out.push(b' ');
    parameters(content_type, is_text, out);
    for name in ["content-id", "content-description"] {
        out.push(b' ');
        nstring(first(header, name).map(unfold).as_deref(), out);
    }
    out.push(b' ');
    string(part.encoding.as_bytes(), out);
    out.push(b' ');
    number(part.body.octets(), out);
    if is_message_type(part) {
        out.push(b' ');
        match part.children.first() {
            Some(inner) => {
                envelope::write(&Named::read(header_of(content, inner, form)), out);
                out.push(b' ');
                write(content, inner, form, out);
            }
            None => out.extend_from_slice(UNREAD_MESSAGE),
        }
    }
    if is_text || is_message_type(part) {
        out.push(b' ');
        number(lines(slice(content, part.body)), out);
    }
}

/// Line ends in a body; a last line without one is not counted.
fn lines(body: &[u8]) -> u64 {
    u64::try_from(memchr::memchr_iter(b'\n', body).count()).unwrap_or(u64::MAX)
}

fn parameters(structured: &Structured, is_text: bool, out: &mut Vec<u8>) {
    let is_given = |(name, _): &(Vec<u8>, Vec<u8>)| {
        let name = name.split(|octet| *octet == b'*').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"charset")
    };
    // RFC 2045 §5.2: text without a charset is US-ASCII.
    let needs_charset = is_text && !structured.parameters.iter().any(is_given);
    if structured.parameters.is_empty() && !needs_charset {
        out.extend_from_slice(b"NIL");
        return;
    }
    let default = needs_charset.then_some((&b"charset"[..], &b"us-ascii"[..]));
    let given = structured.parameters.iter();
    let all = given.map(|(name, value)| (name.as_slice(), value.as_slice())).chain(default);
    out.push(b'(');
    for (at, (name, value)) in all.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        string(name, out);
        out.push(b' ');
        string(value, out);
    }
    out.push(b')');
}

fn disposition(structured: Option<Structured>, out: &mut Vec<u8>) {
    match structured.filter(|value| !value.value.is_empty()) {
        Some(value) => {
            out.push(b'(');
            string(&value.value, out);
            out.push(b' ');
            parameters(&value, false, out);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
}

/// RFC 3282 §2: language tags with commas between; one is a string, several are a list.
fn languages(value: Option<&[u8]>, out: &mut Vec<u8>) {
    let value = value.map(unfold).unwrap_or_default();
    let tags: Vec<&[u8]> = value
        .split(|octet| *octet == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|tag| !tag.is_empty())
        .collect();
    match tags.as_slice() {
        [] => out.extend_from_slice(b"NIL"),
        [tag] => string(tag, out),
        tags => {
            out.push(b'(');
            for (at, tag) in tags.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                string(tag, out);
            }
            out.push(b')');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parser::parse;
    use super::*;

    fn wire(message: &str, is_extended: bool) -> String {
        let mut out = Vec::new();
        let form = Form { is_extended, is_bare: false };
        write(message.as_bytes(), &parse(message.as_bytes()), form, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn defaults_and_extension_data() {
        assert_eq!(
            wire("\r\nline\r\nlast", false),
            "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 1)"
        );
        assert_eq!(
            wire("Content-Type: image/png\r\nContent-ID: <x>\r\n\r\n", true),
            "(\"image\" \"png\" NIL \"<x>\" NIL \"7bit\" 0 NIL NIL NIL NIL)"
        );
        assert_eq!(
            wire(
                "Content-Type: TEXT/HTML; Charset=UTF-8\r\nContent-MD5: Q2hl\r\n\
                 Content-Disposition: Attachment; filename=\"a b\"\r\nContent-Language: en, de\r\n\
                 Content-Location: http://x\r\nContent-Transfer-Encoding: BASE64\r\n\r\n",
                true
            ),
            "(\"text\" \"html\" (\"Charset\" \"UTF-8\") NIL NIL \"base64\" 0 0 \"Q2hl\" \
             (\"Attachment\" (\"filename\" \"a b\")) (\"en\" \"de\") \"http://x\")"
        );
    }

    #[test]
    fn multiparts_and_messages() {
        let message = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: s\r\n\
            \r\nhi\r\n--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\
            \r\nAAAA\r\n--b--\r\n";
        assert_eq!(
            wire(message, false),
            "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 16 \
             (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) \
             (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 2 0) 2)\
             (\"message\" \"rfc822\" NIL NIL NIL \"base64\" 4 \
             (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) \
             (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) 0) \"digest\")"
        );
        assert_eq!(
            wire("Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts", true),
            "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 8 0 NIL NIL NIL NIL) \
             \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"
        );
    }
}
