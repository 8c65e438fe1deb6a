//! The octets of a message to its [`Structure`].

use super::bodystructure::{self, Form};
use super::envelope::{self, Named};
use super::{parser, summary};
use crate::model::structure::{ByteRange, Part, Structure};

/// Octets of a wire form; the forms are stored in one document together. Honest mail needs a few
/// thousand; from mail above this the details are left out.
const WIRE_OCTETS_MAX: usize = 2 * 1024 * 1024;
/// Octets of a header that still make an envelope if the whole makes too large a one.
const ENVELOPE_HEADER_OCTETS: usize = 64 * 1024;

/// Reads any octets as a message; never fails.
pub fn parse(content: &[u8]) -> Structure {
    let root = parser::parse(content);
    let header = usize::try_from(root.header.end).ok().and_then(|end| content.get(..end));
    let header = header.unwrap_or_default();
    let named = Named::read(header);
    let mut envelope = Vec::new();
    envelope::write(&named, &mut envelope);
    if envelope.len() > WIRE_OCTETS_MAX {
        envelope.clear();
        let beginning = header.get(..ENVELOPE_HEADER_OCTETS).unwrap_or(header);
        envelope::write(&Named::read(beginning), &mut envelope);
    }
    Structure {
        envelope,
        body: body(content, &root, false),
        bodystructure: body(content, &root, true),
        summary: summary::read(content, &root, &named),
        root,
    }
}

/// The wire form of BODYSTRUCTURE of one part. `decoded`: as it is when it is sent without its
/// transfer encoding, in so many octets (RFC 5524 §3.3).
pub fn of_part(content: &[u8], part: &Part, decoded: Option<Decoded>) -> Vec<u8> {
    let Some(decoded) = decoded else { return body(content, part, true) };
    // behind the content: these octets are none of it, and have no lines there
    let start = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let range = ByteRange { start, end: start.saturating_add(decoded.octets) };
    let part = Part { body: range, encoding: decoded.encoding.into(), ..part.clone() };
    body(content, &part, true)
}

/// How a part is without its transfer encoding.
#[derive(Clone, Copy, Debug)]
pub struct Decoded {
    /// Octets.
    pub octets: u64,
    /// `7bit`, `8bit` or `binary`.
    pub encoding: &'static str,
}

fn body(content: &[u8], root: &Part, is_extended: bool) -> Vec<u8> {
    let mut out = Vec::new();
    bodystructure::write(content, root, Form { is_extended, is_bare: false }, &mut out);
    if out.len() > WIRE_OCTETS_MAX {
        out.clear();
        bodystructure::write(content, root, Form { is_extended, is_bare: true }, &mut out);
    }
    out.shrink_to_fit();
    out
}
