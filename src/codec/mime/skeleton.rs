//! Content to skeleton and attachments, and back, octet for octet.
use crate::model::structure::{Hole, Part, Skeleton};
/// Cuts large base64 bodies that re-encode identically out of a content. Returns the skeleton and the decoded
/// octets of each hole. Expanding gives the content back exactly: each hole was checked.
pub fn split(_content: &[u8], _root: &Part) -> (Skeleton, Vec<Vec<u8>>) {
    todo!()
}
/// The decoded octets a range of the encoded body needs, rounded to whole lines: `(decoded_start, decoded_end, skip)`;
/// `skip` encoded octets are dropped from the front after [`encode_lines`].
pub fn decoded_range(_hole: &Hole, _encoded_start: u64, _encoded_end: u64) -> (u64, u64, usize) {
    todo!()
}
/// Encodes decoded octets that start on a line border back into lines with CRLF; `is_last`: they reach the hole's end.
pub fn encode_lines(_hole: &Hole, _decoded: &[u8], _is_last: bool) -> Vec<u8> {
    todo!()
}
