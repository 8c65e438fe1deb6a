//! MAIL: a transaction begins (RFC 5321 §4.1.1.2).

use super::reply_line::{bad_sequence, too_large};
use super::session::Session;
use super::transaction::Transaction;
use crate::codec::smtp::parameters::MailParameters;
use crate::codec::smtp::path::Path;
use crate::codec::smtp::reply::Reply;
use crate::model::address::EmailAddress;

/// RFC 3461 §3: a parameter whose extension was not announced is not recognised.
pub(super) fn dsn_not_offered() -> Reply {
    Reply::new(555, (5, 5, 4), "DSN is not offered")
}

/// RFC 6531 §3.5: an internationalised address without SMTPUTF8.
pub(super) fn needs_smtp_utf8(address: &EmailAddress) -> bool {
    !address.local().is_ascii() || !address.domain().is_ascii()
}

/// The reply to such an address (RFC 6531 §3.5, §4.3).
pub(super) fn smtp_utf8_missing() -> Reply {
    Reply::new(553, (5, 6, 7), "SMTPUTF8 was not asked for")
}

impl Session {
    /// Begins a transaction.
    pub(super) fn mail(&mut self, path: Path, parameters: MailParameters) -> Reply {
        if self.helo.is_none() {
            return bad_sequence("greet first");
        }
        if self.transaction.is_some() {
            return bad_sequence("a transaction has begun already");
        }
        if parameters.ret.is_some() || parameters.envelope_id.is_some() {
            return dsn_not_offered();
        }
        // RFC 1870 §6.1: refused before it is sent
        let octets_max = self.context.settings.message_octets_max;
        if parameters.size_octets.is_some_and(|octets| octets > octets_max) {
            return too_large(octets_max);
        }
        let reverse_path = match path {
            Path::Address(address) => Some(address),
            Path::Null | Path::Postmaster => None,
        };
        if !parameters.smtp_utf8 && reverse_path.as_ref().is_some_and(needs_smtp_utf8) {
            return smtp_utf8_missing();
        }
        let recipients = Vec::new();
        self.transaction = Some(Transaction { reverse_path, parameters, recipients, chunks: None });
        Reply::new(250, (2, 1, 0), "sender accepted")
    }
}
