//! `BODY[section]` (RFC 9051 §6.4.5) to ranges of octets.
use crate::model::structure::{ByteRange, Part};
/// What of a part is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SectionText {
    /// `BODY[]` or `BODY[1]`: all of it.
    All,
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (...)`
    HeaderFields(Vec<String>),
    /// `HEADER.FIELDS.NOT (...)`
    HeaderFieldsNot(Vec<String>),
    /// `TEXT`
    Text,
    /// `MIME`
    Mime,
}
/// A section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// Part numbers; empty is the message.
    pub path: Vec<u32>,
    /// What of it.
    pub text: SectionText,
}
/// Where the section lies in the content. `with_prefix`: the trace prefix belongs in front (BODY[], BODY[HEADER…]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Located {
    /// The range of the content; for header fields the whole header, to be given to [`select_fields`].
    pub range: ByteRange,
    /// The trace prefix comes first.
    pub with_prefix: bool,
}
/// Finds a section; `None` when the message has no such part (answered as NIL / empty string).
pub fn locate(_root: &Part, _section: &Section) -> Option<Located> {
    todo!()
}
/// The named fields (or all others) of a header, in their order, with the ending empty line.
pub fn select_fields(_header: &[u8], _names: &[String], _keep_named: bool) -> Vec<u8> {
    todo!()
}
