//! MongoDB: the only place that names the driver and BSON. One file per collection.
//!
//! Conventions: `_id` is an ObjectId unless said otherwise; `user` and `mailbox` are ObjectIds and
//! in every filter
//! of a user's documents; UIDs, ModSeqs and counters are int64; instants are BSON dates.
//! Every function returns the error of all operations ([`error`] translates), and a function with a
//! `session`
//! argument works inside a transaction of `transaction::run!`.

pub mod acme_accounts;
pub mod acme_challenges;
pub mod address_register;
pub mod addresses;
pub mod app_passwords;
pub mod archive;
pub mod attachments;
pub mod audits;
pub mod auth_log;
pub mod autoreplies;
mod cache;
pub mod certificates;
pub mod change_feed;
pub mod change_log;
pub mod changes;
mod chunks;
pub mod client;
mod compression;
pub mod content_range;
pub mod contents;
pub mod deferred;
pub mod deleted_users;
pub mod deliveries;
pub mod dkim_keys;
pub mod dmarc_failures;
pub mod domain_access;
pub mod domain_aliases;
pub mod dumps;
pub mod error;
pub mod field;
pub mod files;
pub mod filters;
pub mod greylist;
pub mod indexes;
pub mod leases;
mod listing;
pub mod local;
mod local_program;
pub mod mailbox_counters;
pub mod mailbox_rename;
pub mod mailboxes;
pub mod message_copy;
pub mod message_flags;
pub mod messages;
pub mod metadata;
pub mod migrations;
pub mod page;
pub mod pending_logins;
pub mod queue;
pub mod queue_query;
pub mod rate_limits;
pub mod record;
pub mod regex;
pub mod report_results;
pub mod retention;
pub mod search;
pub mod secrets;
pub mod settings;
pub mod shares;
pub mod sts_policies;
pub mod subscriptions;
pub mod suppressions;
pub mod target;
pub mod threads;
pub mod tokens;
pub mod transaction;
mod upsert;
pub mod url_keys;
pub mod usage;
pub mod user_factors;
pub mod user_keys;
pub mod usernames;
pub mod users;
mod vault;
pub mod watch;
pub mod webauthn;
pub mod webhooks;
pub mod wire_forms;

#[cfg(test)]
mod explain_tests;
#[cfg(test)]
pub(crate) mod testing;

pub use client::Storage;
pub use field::{id_of, oid};
