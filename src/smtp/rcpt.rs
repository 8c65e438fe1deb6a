//! RCPT: a recipient is accepted or refused, for good, here (RFC 5321 §4.1.1.3).

use super::mail::{needs_smtp_utf8, not_offered, smtp_utf8_missing};
use super::reply_line::{bad_sequence, over_quota, reply_to_error};
use super::role::Role;
use super::session::Session;
use crate::codec::smtp::path::Path;
use crate::codec::smtp::reply::Reply;
use crate::delivery::accept::{Addressee, Recipient};
use crate::delivery::pass_on::{Relay, is_open};
use crate::directory::resolve::Destination;
use crate::model::address::EmailAddress;
use crate::model::dsn::RecipientDsn;
use crate::model::error::{Error, Result};
use crate::model::limits::RECIPIENTS_MAX;
use crate::model::transaction::ForwardPath;
use crate::model::user::User;
use unicode_normalization::UnicodeNormalization;

impl Session {
    /// Adds a recipient to the transaction, or tells the trace why not.
    pub(super) async fn rcpt(&mut self, path: Path, parameters: RecipientDsn) -> Reply {
        if let Some(refusal) = self.refuse_rcpt(&parameters) {
            return refusal;
        }
        let path = match self.forward_path(path) {
            Ok(address) => ForwardPath { address, dsn: parameters },
            Err(error) => return reply_to_error(&error),
        };
        let reply = self.rcpt_of(&path).await;
        if let Some(transaction) = &self.transaction
            && reply.code >= 400
        {
            self.context.delivery.tell_rejected(&transaction.mail, &path.address, &reply.text());
        }
        reply
    }

    fn refuse_rcpt(&self, parameters: &RecipientDsn) -> Option<Reply> {
        let Some(transaction) = &self.transaction else {
            return Some(bad_sequence("MAIL first"));
        };
        if transaction.chunks.is_some() {
            return Some(bad_sequence("the data has begun"));
        }
        // RFC 5321 §4.5.3.1.10: the sender tries the rest in another transaction
        if transaction.count() >= RECIPIENTS_MAX {
            return Some(Reply::new(452, (4, 5, 3), "too many recipients"));
        }
        let has_dsn = parameters.notify.is_some() || parameters.original.is_some();
        (has_dsn && !self.offers_dsn()).then(|| not_offered("DSN"))
    }

    async fn rcpt_of(&mut self, path: &ForwardPath) -> Reply {
        let Some(transaction) = &mut self.transaction else { return bad_sequence("MAIL first") };
        let parameters = &transaction.parameters;
        if needs_smtp_utf8(&path.address) && !parameters.smtp_utf8 {
            return smtp_utf8_missing();
        }
        if self.context.role == Role::Submission {
            transaction.paths.push(path.clone());
            return accepted();
        }
        let octets = parameters.size_octets.unwrap_or(0);
        match self.find_destination(&path.address).await {
            Ok(Destination::User(user)) => self.add_user(path.clone(), *user, octets).await,
            Ok(Destination::Forwarded(entry)) => {
                self.add_relay(Relay { path: path.clone(), entry: *entry }).await
            }
            Err(error @ Error::NotFound { .. }) => {
                self.screen_unknown().await.unwrap_or_else(|| reply_to_error(&error))
            }
            Err(error) => {
                self.log_error(&error);
                reply_to_error(&error)
            }
        }
    }

    fn forward_path(&self, path: Path) -> Result<EmailAddress> {
        match path {
            Path::Address(address) => Ok(address),
            // RFC 5321 §4.5.1: the postmaster of this host
            Path::Postmaster | Path::Null => {
                EmailAddress::new(&format!("postmaster@{}", self.context.hostname))
            }
        }
    }

    async fn find_destination(&self, address: &EmailAddress) -> Result<Destination> {
        let lookup = normal_form(address)?;
        let found = self.context.directory.resolve_destination(&lookup).await?;
        found.ok_or(Error::NotFound { what: "address" })
    }

    /// An address without a user that does nothing with mail is like a disabled user.
    async fn add_relay(&mut self, relay: Relay) -> Reply {
        if !is_open(relay.entry.forwarding.as_ref()) {
            return Reply::new(550, (5, 2, 1), "mailbox disabled");
        }
        if let Some(refusal) = self.screen_recipient(&relay.path.address, None).await {
            return refusal;
        }
        self.add(Addressee::Relay(relay))
    }

    async fn add_user(&mut self, path: ForwardPath, user: User, octets: u64) -> Reply {
        if user.disabled {
            return Reply::new(550, (5, 2, 1), "mailbox disabled");
        }
        // RFC 1870 §6.1: what was announced counts too; what really comes is checked when it is
        // appended
        let used = user.used_octets.saturating_add(octets);
        if user.quota_octets.is_some_and(|quota| user.used_octets >= quota || used > quota) {
            return over_quota();
        }
        if let Some(refusal) = self.screen_recipient(&path.address, Some(&user)).await {
            return refusal;
        }
        let is_stranger = self.context.role == Role::Relay;
        if let Err(error) = self.context.delivery.count_received(&user, is_stranger).await {
            self.log_error(&error);
            return reply_to_error(&error);
        }
        self.add(Addressee::User(Recipient { path, user }))
    }

    fn add(&mut self, addressee: Addressee) -> Reply {
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients.push(addressee);
        }
        accepted()
    }
}

fn accepted() -> Reply {
    Reply::new(250, (2, 1, 5), "recipient accepted")
}

/// The form addresses are kept in: NFC, the domain in Unicode (RFC 5890 §2.3.2.1).
fn normal_form(address: &EmailAddress) -> Result<EmailAddress> {
    let domain = address.domain();
    let domain =
        if domain.starts_with('[') { domain.to_owned() } else { idna::domain_to_unicode(domain).0 };
    let local: String = address.local().nfc().collect();
    EmailAddress::new(&format!("{local}@{domain}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_use_unicode() {
        let cases = [
            ("a@xn--bcher-kva.example", "a@bücher.example"),
            ("e\u{301}@example.com", "é@example.com"),
            ("a@[127.0.0.1]", "a@[127.0.0.1]"),
        ];
        for (given, expected) in cases {
            let address = EmailAddress::new(given).unwrap();
            assert_eq!(normal_form(&address).unwrap().to_string(), expected);
        }
    }
}
