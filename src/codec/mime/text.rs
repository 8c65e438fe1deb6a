//! Decoded words and text of a message.

use super::{header, html, word};
use crate::model::structure::Part;

/// Decodes a part's body (transfer encoding, then charset) to text.
pub fn decode_text(part: &Part, body: &[u8]) -> String {
    word::charset_to_text(part.charset.as_bytes(), &decode_body(&part.encoding, body))
}

/// Decodes a part's transfer encoding. Unknown encodings leave the octets as they are.
pub fn decode_body(encoding: &str, body: &[u8]) -> Vec<u8> {
    match encoding {
        "base64" => word::base64(body),
        "quoted-printable" => word::quoted_printable(body),
        _ => body.to_vec(),
    }
}

/// A header field's value unfolded, RFC 2047 words decoded.
pub fn decode_header_value(raw: &[u8]) -> String {
    word::decode(raw)
}

/// All fields of a header as (name as written, raw value without the final CRLF).
///
/// Lines that are no field are left out.
pub fn header_fields(header: &[u8]) -> Vec<(&str, &[u8])> {
    header::fields(header)
        .filter(|field| !field.name.is_empty())
        .filter_map(|field| Some((std::str::from_utf8(field.name).ok()?, field.value)))
        .collect()
}

/// Text of HTML, for previews and search.
pub fn html_to_text(text: &str) -> String {
    html::to_text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_decoded() {
        let part = Part {
            charset: "iso-8859-1".into(),
            encoding: "quoted-printable".into(),
            ..Part::default()
        };
        assert_eq!(decode_text(&part, b"=E4=\r\nb"), "äb");
        assert_eq!(decode_body("base64", b"aGk="), b"hi");
        assert_eq!(decode_body("x-unknown", b"aGk="), b"aGk=");
        assert_eq!(
            header_fields(b"A: b\r\njunk\r\nC:d\r\n\r\nE: f"),
            [("A", &b" b"[..]), ("C", &b"d"[..])]
        );
    }
}
