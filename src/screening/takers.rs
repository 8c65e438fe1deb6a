//! The recipients a message is for, as far as checks on the message differ between them.
//!
//! A message has one answer (RFC 5321 §4.2.5): it is refused where all recipients' rules refuse it,
//! and filtered where anybody wants that.

use super::exceptions::Exceptions;
use super::settings::{Check, Rule};
use crate::model::address::EmailAddress;
use crate::model::user::User;

/// Checks on the message itself.
const OF_MESSAGE: [Check; 4] = [Check::Dmarc, Check::Rspamd, Check::Clamav, Check::Milters];

/// The recipients that were accepted.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Takers {
    pub(super) addresses: Vec<EmailAddress>,
    /// Something was found for which somebody's mail counts as spam.
    pub(super) is_marked: bool,
    /// The mildest rule about DMARC; `None`: nobody is there.
    pub(super) dmarc: Option<Rule>,
    wanted: Vec<Check>,
}

impl Takers {
    /// One more. `dmarc` is its usual rule.
    pub(super) fn add(
        &mut self,
        exceptions: &Exceptions,
        dmarc: Rule,
        (recipient, user): (&EmailAddress, Option<&User>),
        is_marked: bool,
    ) {
        for check in OF_MESSAGE {
            let usual = if check == Check::Dmarc { dmarc } else { Rule::Refuse };
            let rule = exceptions.rule(check, usual, (recipient, user));
            if check == Check::Dmarc {
                self.dmarc = Some(self.dmarc.map_or(rule, |mildest| mildest.min(rule)));
            }
            if rule != Rule::Off && !self.wanted.contains(&check) {
                self.wanted.push(check);
            }
        }
        self.is_marked |= is_marked;
        self.addresses.push(recipient.clone());
    }

    /// Whether somebody wants this check on the message.
    pub(super) fn want(&self, check: Check) -> bool {
        self.wanted.contains(&check)
    }
}
