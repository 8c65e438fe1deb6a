//! The nouns of a mail store: no IO, no async, no serde.
//!
//! Everything above this module speaks in these types; nothing here knows a protocol, a socket or
//! the database.

pub mod address;
pub mod audit;
pub mod dsn;
pub mod error;
pub mod event;
pub mod filter;
pub mod flag;
pub mod forward;
pub mod id;
pub mod key;
pub mod limits;
pub mod mailbox;
pub mod message;
pub mod principal;
pub mod profile;
pub mod queue;
pub mod rights;
pub mod search;
pub mod setting;
pub mod structure;
pub mod suppression;
pub mod target;
pub mod trace;
pub mod transaction;
pub mod uid;
pub mod user;
pub mod webhook;
pub mod window;
