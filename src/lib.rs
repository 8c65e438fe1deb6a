//! Eider, a scalable mail store: the map of the code.
//!
//! One package, one tree. Everything points down; `tests/tidy.rs` executes the rules.
//!
//! ```text
//!         cli ── server ── config                     put it together
//!   imap   pop3   smtp (LMTP)   api   mta   jobs           doors: one per way in or out
//!            delivery              screening          a message finds its mailboxes / who may come
//!            directory     queue                      who exists / what must leave
//!      mailstore   auth   cluster   trace             meaning of mail / who are you / tell the
//! others / what happened
//!                  storage   encryption               MongoDB, one file per collection / users' keys
//!     codec    net    spool    tasks                  bytes, sockets, big bodies, supervision
//!           model   clock   telemetry                 the nouns, time, sight
//! ```
//!
//! - [`model`]: the nouns: ids, flags, UID sets, mailboxes, messages, the one
//!   [`model::error::Error`].
//! - [`clock`]: the only source of time. [`telemetry`]: logs and metrics.
//! - [`codec`]: bytes to nouns and back, pure: IMAP and SMTP grammar, MIME.
//! - [`net`]: sockets, TLS. [`spool`]: one incoming message. [`tasks`]: supervised tasks.
//! - [`encryption`]: messages encrypted for their owner's key.
//! - [`storage`]: MongoDB; the only place that names the driver. Each file opens with its document.
//! - [`mailstore`]: mailboxes and messages with IMAP's promises: append, fetch, flags, copy,
//!   expunge, view.
//! - [`auth`]: passwords, tokens, throttling. [`cluster`]: the change stream that wakes sessions.
//! - [`trace`]: the story of each message, recorded without waiting and searched later.
//! - [`queue`]: what must leave, one entry a recipient, under leases.
//! - [`directory`]: users and addresses. [`delivery`]: from an SMTP transaction to mailboxes.
//! - [`screening`]: checks on mail that comes in from strangers.
//! - [`imap`], [`pop3`], [`smtp`], [`api`]: the doors. Each has `settings.rs` and one file that turns
//!   errors into its words.
//! - [`mta`]: what leaves: from the queue to next hops.
//! - [`jobs`]: periodic work under leases: expiry, purges, garbage, work that requests left.
//! - [`config`], [`server`], [`cli`]: composed, started, commanded.
//!
//! # Laws
//!
//! 1. A positive reply is a promise: it is sent after the write is acknowledged by a majority,
//!    journalled.
//! 2. Every change of a mailbox is one transaction that first updates the mailbox document, then
//!    the messages, then
//!    inserts exactly one change: commit order is UID and ModSeq order.
//! 3. A notification only wakes; the woken session reads what changed.
//! 4. What comes out is what came in, octet for octet.
//! 5. Reference counts err upwards only.
//! 6. Every storage function takes the user's id and puts it in the filter.
//! 7. The codec sees no socket, clock, randomness or database, and never panics.
//! 8. Everything has a limit (`model::limits`, each `settings.rs`) and refuses in the protocol's
//!    words.
//!
//! # Four journeys
//!
//! **A message arrives by LMTP and an IDLE client sees it.** `net::listener` accepts; `smtp` parses
//! with
//! `codec::smtp` and asks `directory` for each recipient; `spool` receives; `delivery` prepares the
//! content once and
//! gives each recipient a trace prefix; `mailstore::append` commits content, message, counters and
//! change;
//! the reply is written. On every node `cluster::notifier` wakes the subscribed sessions; `imap`
//! refreshes the
//! shared `mailstore::view` and writes `EXISTS`.
//!
//! **A message leaves.** `smtp` (as submission) or `api` hand it to `delivery::submit`, which knows
//! what its sender may; `queue` has an entry for each recipient before anybody is told OK. `mta`
//! claims entries of one next hop under a lease, finds the hop, signs and sends; `delivery::settle`
//! is told of every result and reschedules, reports or ends it.
//!
//! **`UID FETCH 5:* (FLAGS ENVELOPE BODY.PEEK[1])`.** `codec::imap` frames, then parses; `imap`
//! turns the set into UIDs
//! and the items into a plan; flags come from the view, envelopes as stored octets from one
//! projected query,
//! the part by its range through `codec::mime::section` and `mailstore::fetch`.
//!
//! **`POST /users`.** `api` gathers parameters, checks the token, calls `directory`, which hashes
//! the password on a
//! bounded pool, writes user and address in one transaction (unique indexes decide races), and has
//! `mailstore` create the default mailboxes.

pub mod api;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod codec;
pub mod config;
pub mod delivery;
pub mod directory;
pub mod encryption;
pub mod imap;
pub mod jobs;
pub mod mailstore;
pub mod model;
pub mod mta;
pub mod net;
pub mod pop3;
pub mod queue;
pub mod screening;
pub mod server;
pub mod smtp;
pub mod spool;
pub mod storage;
pub mod tasks;
pub mod telemetry;
pub mod trace;

#[cfg(test)]
mod error_table_tests;
