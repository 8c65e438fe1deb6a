//! Mailboxes and messages with IMAP's promises.

pub mod append;
pub mod copy;
pub mod expunge;
pub mod fetch;
pub mod flags;
pub mod mailbox;
pub mod view;

/// The operations on mailboxes and messages; cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailstore {}
