//! Bytes to nouns and back: pure, total, never panics.

pub mod cbor;
pub mod collation;
pub mod dsn;
pub mod feedback;
pub mod imap;
pub mod milter;
pub mod mime;
pub mod mta_sts;
pub mod pop3;
pub mod sasl;
pub mod smtp;
pub mod tls_rpt;
