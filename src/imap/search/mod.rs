//! SEARCH, SORT, THREAD and ESEARCH (RFC 9051 §6.4.4, RFC 5256, RFC 7377), and what keeps their
//! results up to date (RFC 5267).
//!
//! [`key`] decides one message with what is known of it, [`needle`] and [`text`] what a text has;
//! these are pure, as are [`tree`] (threads) and [`context`] (updates). [`scan`] applies a key to
//! a mailbox: flags, dates, sizes and UIDs are answered by the view, and only messages that these
//! leave undecided are read. The rest are the commands.

mod command;
pub mod context;
mod key;
mod multi;
mod needle;
mod scan;
mod sort;
mod text;
mod thread;
mod tree;
mod update;
