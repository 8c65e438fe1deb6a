//! Bytes to nouns and back: pure, total, never panics.

pub mod mime;
