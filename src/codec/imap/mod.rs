//! IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051): octets to commands, responses to octets.
//!
//! [`framing`] finds where a command ends, [`command::parse`] reads its grammar, [`response`]
//! writes answers.

pub mod acl;
pub mod append;
pub mod command;
pub mod command_table;
pub mod date_time;
pub mod error;
pub mod fetch;
pub mod fetch_response;
pub mod framing;
pub mod gmail;
mod gmail_query;
pub mod i18n;
pub mod lexer;
pub mod list;
pub mod mailbox_name;
pub mod metadata;
pub mod multisearch;
pub mod notify;
pub mod quota;
pub mod response;
pub mod response_code;
#[cfg(test)]
mod response_tests;
pub mod search;
pub mod search_response;
pub mod search_return;
pub mod select;
pub mod sequence_set;
pub mod sort;
pub mod status;
pub mod store;
#[cfg(test)]
mod tests;
pub mod thread;
pub mod url;
pub mod urlauth;
