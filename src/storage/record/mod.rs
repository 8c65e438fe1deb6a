//! Documents to nouns and back, where that takes more than a few lines.

pub(crate) mod acl;
pub mod message;
pub mod summary;
