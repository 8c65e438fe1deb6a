//! The HTTP API: WildDuck's operations and shapes, described by OpenAPI.
//!
//! [`router`] is the table of contents; [`extract`] makes a [`extract::Call`] of a request,
//! [`params`] reads its parameters, [`access`] says who may, [`reply`] and [`problem`] answer.

pub mod access;
pub mod acme;
pub mod address_register;
pub mod address_view;
pub mod addresses;
pub mod app_passwords;
pub mod archived;
pub mod audits;
pub mod auth_log;
pub mod authentication;
pub mod autoreplies;
pub mod body;
pub mod certs;
pub mod compose;
pub mod cors;
pub mod data;
pub mod dkim;
pub mod domain_access;
pub mod domain_aliases;
pub mod extract;
pub mod files;
pub mod filter_fields;
pub mod filters;
pub mod forwarded_addresses;
pub mod health;
pub mod listing;
pub mod mail_profile;
pub mod mailbox_view;
pub mod mailboxes;
mod mailing_list;
pub mod message_list;
pub mod message_notes;
pub mod message_source;
pub mod message_update;
pub mod message_upload;
pub mod message_view;
pub mod messages;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod outbound;
pub mod page;
pub mod params;
pub mod problem;
pub mod query;
pub mod queue;
pub mod queue_view;
pub mod reference;
pub mod reply;
pub mod router;
pub mod runtime_settings;
pub mod search;
pub mod search_query;
pub mod second_factors;
pub mod serve;
pub mod settings;
pub mod submit;
pub mod suppressions;
pub mod trace;
pub mod uid_sets;
pub mod update_events;
pub mod updates;
pub mod upload_fields;
pub mod user_deletion;
pub mod user_fields;
pub mod user_maintenance;
pub mod user_request;
pub mod user_view;
pub mod users;
pub mod webauthn;
pub mod webhooks;

use crate::auth::Authenticator;
use crate::auth::breach::Breaches;
use crate::auth::token::Tokens;
use crate::clock::Clock;
use crate::cluster::notifier::Notifier;
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::mailstore::Mailstore;
use settings::Settings;
use std::sync::Arc;

/// What other doors allow a user who has no limits of his own, to be shown.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// IMAP connections of one user.
    pub imap_connections: u64,
    /// Messages in a maildrop; 0: all.
    pub pop3_messages: u64,
}

/// The handles the API works with; cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// Mailboxes and messages.
    pub mailstore: Mailstore,
    /// Users and addresses.
    pub directory: Directory,
    /// Logins.
    pub authenticator: Authenticator,
    /// Access tokens.
    pub tokens: Tokens,
    /// Wakes whoever waits for changes.
    pub notifier: Notifier,
    /// Messages that arrive and leave.
    pub delivery: Delivery,
    /// Time.
    pub clock: Clock,
    /// Stolen passwords, where a list of them is known.
    pub breaches: Option<Arc<Breaches>>,
    /// What other doors allow.
    pub bounds: Bounds,
    /// Profiles for mail programs.
    pub profiles: Arc<mail_profile::Profiles>,
    /// Settings.
    pub settings: Arc<Settings>,
}
