//! Documents to nouns and back, where that takes more than a few lines.

pub(crate) mod acl;

pub mod forward;
pub mod message;
pub mod summary;
pub mod user;
