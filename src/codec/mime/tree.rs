//! The MIME tree as stored in the message document, and walks over it.
use crate::model::structure::Part;
/// The compact stored form of a tree.
pub fn encode(_root: &Part) -> Vec<u8> {
    todo!()
}
/// Reads what [`encode`] wrote; `None` if it is not that.
pub fn decode(_octets: &[u8]) -> Option<Part> {
    todo!()
}
/// The part at a path like `[2, 1]` (RFC 9051 §6.4.5 part numbers); the empty path is the root.
pub fn find<'a>(_root: &'a Part, _path: &[u32]) -> Option<&'a Part> {
    todo!()
}
