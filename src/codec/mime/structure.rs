//! The octets of a message to its [`Structure`].

use super::envelope::{self, Named};
use super::{bodystructure, parser, summary};
use crate::model::structure::Structure;

/// Reads any octets as a message; never fails.
pub fn parse(content: &[u8]) -> Structure {
    let root = parser::parse(content);
    let header = usize::try_from(root.header.end).ok().and_then(|end| content.get(..end));
    let named = Named::read(header.unwrap_or_default());
    let mut structure = Structure::default();
    envelope::write(&named, &mut structure.envelope);
    bodystructure::write(content, &root, false, &mut structure.body);
    bodystructure::write(content, &root, true, &mut structure.bodystructure);
    structure.summary = summary::read(content, &root, &named);
    structure.root = root;
    structure
}
