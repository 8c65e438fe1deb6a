//! POP3's grammar: commands, replies, multi-line text (RFC 1939, RFC 2449).

pub mod command;
pub mod multiline;
pub mod reply;
