//! The shape of a message: its MIME tree as octet ranges, and what is shown of it.

use super::id::ContentHash;

/// A half-open range of octets.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ByteRange {
    /// First octet.
    pub start: u64,
    /// Octet after the last.
    pub end: u64,
}

impl ByteRange {
    /// The number of octets.
    pub const fn octets(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The part `<offset.count>` of this range (RFC 9051 §6.4.5), clipped to it.
    pub fn partial(&self, offset: u64, count: u64) -> Self {
        let start = self.start.saturating_add(offset).min(self.end);
        Self { start, end: start.saturating_add(count).min(self.end) }
    }
}

/// One node of the MIME tree. Ranges are offsets into the content (without the trace prefix).
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Part {
    /// The MIME header with the empty line that ends it.
    pub header: ByteRange,
    /// The body as sent, still encoded.
    pub body: ByteRange,
    /// Lowercase type, `text`; defaults applied (RFC 2045 §5.2).
    pub media_type: String,
    /// Lowercase subtype, `plain`.
    pub media_subtype: String,
    /// Lowercase charset parameter, empty if none.
    pub charset: String,
    /// Lowercase Content-Transfer-Encoding, `7bit` if none.
    pub encoding: String,
    /// Decoded file name from Content-Disposition or Content-Type.
    pub filename: Option<String>,
    /// Lowercase Content-Disposition.
    pub disposition: Option<String>,
    /// Content-ID with its angle brackets.
    pub content_id: Option<String>,
    /// Parts of a multipart; for message/rfc822 exactly one: the inner message, whose header is its
    /// RFC 5322 header.
    pub children: Vec<Part>,
}

impl Part {
    /// Whether the part is a multipart.
    pub fn is_multipart(&self) -> bool {
        self.media_type == "multipart" && !self.children.is_empty()
    }

    /// Whether the part is a message/rfc822 or message/global with its parsed inner message.
    pub fn is_message(&self) -> bool {
        self.media_type == "message" && !self.children.is_empty()
    }
}

/// An address shown by the HTTP API.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct NamedAddress {
    /// Decoded display name, may be empty.
    pub name: String,
    /// `local@domain`, domain in Unicode.
    pub address: String,
}

/// Decoded header fields and preview that lists show without reading the content.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Decoded Subject.
    pub subject: String,
    /// From, else Sender.
    pub from: Vec<NamedAddress>,
    /// To.
    pub to: Vec<NamedAddress>,
    /// Cc.
    pub cc: Vec<NamedAddress>,
    /// Bcc.
    pub bcc: Vec<NamedAddress>,
    /// Message-ID with angle brackets; empty if none.
    pub message_id: String,
    /// References, then In-Reply-To: message ids with angle brackets, each once, at most 100.
    pub references: Vec<String>,
    /// How many of them are of References.
    pub references_own: usize,
    /// Date header as milliseconds since 1970, if readable.
    pub date_ms: Option<i64>,
    /// At most 128 characters of text.
    pub preview: String,
    /// Has a part that is shown as attachment.
    pub has_attachments: bool,
    /// multipart/encrypted or S/MIME enveloped.
    pub encrypted: bool,
}

impl Summary {
    /// The messages above this one in its thread, oldest first (RFC 5256 §3, REFERENCES): those of
    /// References, else the first of In-Reply-To.
    pub fn ancestors(&self) -> &[String] {
        let count = if self.references_own > 0 { self.references_own } else { 1 };
        self.references.get(..count.min(self.references.len())).unwrap_or_default()
    }
}

/// What the store computes once from the octets of a message.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Structure {
    /// The tree; its root is the message, the root's header range its RFC 5322 header.
    pub root: Part,
    /// ENVELOPE in IMAP wire form, with its parentheses; 8-bit only inside literals or as UTF-8
    /// quoted strings never.
    pub envelope: Vec<u8>,
    /// BODY in IMAP wire form (without extension data).
    pub body: Vec<u8>,
    /// BODYSTRUCTURE in IMAP wire form (with extension data).
    pub bodystructure: Vec<u8>,
    /// What lists show.
    pub summary: Summary,
}

/// A content that is cut into a skeleton and externalised attachments.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Skeleton {
    /// The content with the attachments' encoded octets cut out.
    pub octets: Vec<u8>,
    /// The holes, in order.
    pub holes: Vec<Hole>,
}

/// One externalised base64 body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hole {
    /// Offset in the *content* where the encoded octets stood.
    pub start: u64,
    /// Encoded octets cut out.
    pub encoded_octets: u64,
    /// BLAKE3 of the decoded octets.
    pub hash: ContentHash,
    /// Decoded octets.
    pub decoded_octets: u64,
    /// Characters of each full base64 line without CRLF.
    pub line_chars: u16,
    /// Whether the encoded octets end with CRLF.
    pub final_crlf: bool,
}
