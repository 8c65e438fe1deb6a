//! MAIL: a transaction begins (RFC 5321 §4.1.1.2).

use super::reply_line::{bad_sequence, reply_to_error, too_large};
use super::role::{HOLD_S_MAX, Role};
use super::session::Session;
use super::transaction::Transaction;
use crate::codec::smtp::parameters::{Body, Hold, MailParameters};
use crate::codec::smtp::path::Path;
use crate::codec::smtp::reply::Reply;
use crate::model::address::EmailAddress;
use crate::model::dsn::MessageOptions;
use crate::model::transaction::{MailTransaction, ReversePath};

/// RFC 5321 §4.1.1.11: a parameter whose extension was not announced is not recognised.
pub(super) fn not_offered(extension: &str) -> Reply {
    Reply::new(555, (5, 5, 4), format!("{extension} is not offered"))
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
    pub(super) async fn mail(&mut self, path: Path, parameters: MailParameters) -> Reply {
        if let Some(refusal) = self.refuse_mail(&parameters) {
            return refusal;
        }
        let reverse_path = match path {
            Path::Address(address) => Some(address),
            Path::Null | Path::Postmaster => None,
        };
        if !parameters.smtp_utf8 && reverse_path.as_ref().is_some_and(needs_smtp_utf8) {
            return smtp_utf8_missing();
        }
        if self.context.role == Role::Submission
            && let Some(refusal) = self.refuse_sender(reverse_path.as_ref()).await
        {
            return refusal;
        }
        let mail = self.new_mail(reverse_path, &parameters);
        let (recipients, paths) = (Vec::new(), Vec::new());
        let transaction = Transaction { mail, parameters, recipients, paths, chunks: None };
        if let Some(refusal) = self.screen_sender(&transaction).await {
            return refusal;
        }
        self.transaction = Some(transaction);
        Reply::new(250, (2, 1, 0), "sender accepted")
    }

    fn refuse_mail(&self, parameters: &MailParameters) -> Option<Reply> {
        if self.helo.is_none() {
            return Some(bad_sequence("greet first"));
        }
        // RFC 6409 §4.3, RFC 4954 §6
        if self.context.role == Role::Submission && self.user.is_none() {
            return Some(Reply::new(530, (5, 7, 0), "authentication required"));
        }
        if self.transaction.is_some() {
            return Some(bad_sequence("a transaction has begun already"));
        }
        if let Some(refusal) = self.refuse_parameters(parameters) {
            return Some(refusal);
        }
        // RFC 1870 §6.1: refused before it is sent
        let octets_max = self.context.settings.message_octets_max;
        let is_too_large = parameters.size_octets.is_some_and(|octets| octets > octets_max);
        is_too_large.then(|| too_large(octets_max))
    }

    fn refuse_parameters(&self, parameters: &MailParameters) -> Option<Reply> {
        let is_submission = self.context.role == Role::Submission;
        let has_dsn = parameters.ret.is_some() || parameters.envelope_id.is_some();
        let wanted = [
            (has_dsn, self.offers_dsn(), "DSN"),
            (parameters.requires_tls, self.offers_require_tls(), "REQUIRETLS"),
            (parameters.hold.is_some(), is_submission, "FUTURERELEASE"),
            (parameters.auth.is_some(), is_submission, "AUTH"),
            (parameters.body == Body::Binary, self.offers_binary(), "BINARYMIME"),
        ];
        if let Some((_, _, name)) = wanted.iter().find(|(wants, offers, _)| *wants && !offers) {
            return Some(not_offered(name));
        }
        // RFC 4865 §4.2: beyond what was announced
        let due = self.due_ms(parameters)?;
        let latest = self.context.clock.now_ms() + i64::from(HOLD_S_MAX) * 1000;
        (due > latest).then(|| Reply::new(501, (5, 5, 4), "that is too far in the future"))
    }

    /// When the sender wants a message to leave.
    pub(super) fn due_ms(&self, parameters: &MailParameters) -> Option<i64> {
        match parameters.hold? {
            Hold::For(seconds) => Some(self.context.clock.now_ms() + i64::from(seconds) * 1000),
            Hold::Until(at_ms) => Some(at_ms),
        }
    }

    /// RFC 6409 §6.1: a user sends as himself only. The null path is for what nobody is to be told
    /// about (RFC 8098 §2.1).
    async fn refuse_sender(&self, reverse_path: Option<&EmailAddress>) -> Option<Reply> {
        let (user, address) = (self.user.as_ref()?, reverse_path?);
        match self.context.delivery.sender(user.id).await {
            Ok(sender) if sender.may_send_from(&address.to_string()) => None,
            Ok(_) => Some(Reply::new(553, (5, 7, 1), "this is not an address of yours")),
            Err(error) => {
                self.log_error(&error);
                Some(reply_to_error(&error))
            }
        }
    }

    fn new_mail(&self, reverse_path: ReversePath, parameters: &MailParameters) -> MailTransaction {
        let is_utf8 = parameters.smtp_utf8;
        MailTransaction {
            reverse_path,
            helo: self.helo.clone().unwrap_or_default(),
            peer: self.stream.peer().ip().to_canonical(),
            with: self.context.role.with_protocol(self, is_utf8),
            // One session may bring many messages: the id in Received tells them apart.
            session: format!("{}.{}", self.id, self.messages + 1),
            trace: self.context.delivery.new_trace(),
            options: MessageOptions {
                ret: parameters.ret,
                envelope_id: parameters.envelope_id.clone(),
                requires_tls: parameters.requires_tls,
                waives_tls: false,
                zone: None,
                is_utf8,
                is_binary: parameters.body == Body::Binary,
            },
            lines: Vec::new(),
        }
    }
}
