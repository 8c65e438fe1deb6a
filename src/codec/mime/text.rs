//! Decoded words and text of a message.
use crate::model::structure::Part;
/// Decodes a part's body (transfer encoding, then charset) to text.
pub fn decode_text(_part: &Part, _body: &[u8]) -> String {
    todo!()
}
/// Decodes a part's transfer encoding.
pub fn decode_body(_encoding: &str, _body: &[u8]) -> Vec<u8> {
    todo!()
}
/// A header field's value unfolded, RFC 2047 words decoded.
pub fn decode_header_value(_raw: &[u8]) -> String {
    todo!()
}
/// All fields of a header as (name as written, raw value without the final CRLF).
pub fn header_fields(_header: &[u8]) -> Vec<(&str, &[u8])> {
    todo!()
}
/// Text of HTML, for previews and search.
pub fn html_to_text(_html: &str) -> String {
    todo!()
}
