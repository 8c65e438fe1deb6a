//! Which rule a check has for a recipient: the settings' own, or an exception's.

use super::settings::{Check, ExceptionSettings, Rule, Settings};
use crate::model::address::EmailAddress;
use crate::model::user::User;
use std::net::SocketAddr;

/// The exceptions that are for a connection.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Exceptions(Vec<ExceptionSettings>);

impl Exceptions {
    /// Those for what comes in at this address of ours.
    pub(super) fn at(settings: &Settings, local: Option<SocketAddr>) -> Self {
        let is_for = |it: &&ExceptionSettings| {
            it.listeners.is_empty() || local.is_some_and(|local| it.listeners.contains(&local))
        };
        Self(settings.exceptions.iter().filter(is_for).cloned().collect())
    }

    /// The strictest rule that any recipient may have: whether a check is worth its questions.
    pub(super) fn strictest(&self, check: Check, usual: Rule) -> Rule {
        let mut strictest = Rule::Off;
        for exception in &self.0 {
            let Some(rule) = exception.rules.get(&check) else { continue };
            strictest = strictest.max(*rule);
            if exception.recipients.is_empty() {
                return strictest;
            }
        }
        strictest.max(usual)
    }

    /// The rule for a recipient.
    pub(super) fn rule(
        &self,
        check: Check,
        usual: Rule,
        (recipient, user): (&EmailAddress, Option<&User>),
    ) -> Rule {
        let is_for = |it: &&ExceptionSettings| {
            it.recipients.is_empty() || names(&it.recipients, recipient, user)
        };
        let found = self.0.iter().filter(is_for).find_map(|it| it.rules.get(&check));
        found.copied().unwrap_or(usual)
    }
}

/// Whether one of these is the recipient: `a@example.com`, `example.com`, `tag:name`.
pub(super) fn names(list: &[String], recipient: &EmailAddress, user: Option<&User>) -> bool {
    let address = recipient.to_string();
    list.iter().any(|name| match name.strip_prefix("tag:") {
        Some(tag) => {
            user.is_some_and(|user| user.rules.tags.iter().any(|own| own.eq_ignore_ascii_case(tag)))
        }
        None => {
            name.eq_ignore_ascii_case(&address) || name.eq_ignore_ascii_case(recipient.domain())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceptions(local: &str) -> Exceptions {
        let text = r#"{"exceptions": [
            {"listeners": ["192.0.2.1:26"], "rules": {"spf": "off", "lists": "off"}},
            {"recipients": ["a@b.example"], "rules": {"spf": "mark"}},
            {"recipients": ["B.example"], "rules": {"spf": "refuse", "greylist": "refuse"}}
        ]}"#;
        let settings: Settings = serde_json::from_str(text).unwrap();
        Exceptions::at(&settings, local.parse().ok())
    }

    #[test]
    fn the_first_that_is_for_a_recipient_says_the_rule() {
        let usual = exceptions("192.0.2.1:25");
        let rule = |it: &Exceptions, check, to: &str| {
            it.rule(check, Rule::Off, (&EmailAddress::new(to).unwrap(), None))
        };
        assert_eq!(rule(&usual, Check::Spf, "A@b.example"), Rule::Mark);
        assert_eq!(rule(&usual, Check::Spf, "c@b.example"), Rule::Refuse);
        assert_eq!(rule(&usual, Check::Greylist, "a@b.example"), Rule::Refuse);
        assert_eq!(rule(&usual, Check::Spf, "a@c.example"), Rule::Off);
        let other = exceptions("192.0.2.1:26");
        assert_eq!(rule(&other, Check::Spf, "a@b.example"), Rule::Off, "the listener's is first");
        assert_eq!(rule(&other, Check::Greylist, "a@b.example"), Rule::Refuse);
    }

    #[test]
    fn a_check_is_asked_if_anybody_may_want_it() {
        let usual = exceptions("192.0.2.1:25");
        assert_eq!(usual.strictest(Check::Spf, Rule::Off), Rule::Refuse);
        assert_eq!(usual.strictest(Check::Helo, Rule::Off), Rule::Off);
        assert_eq!(usual.strictest(Check::Lists, Rule::Refuse), Rule::Refuse);
        let other = exceptions("192.0.2.1:26");
        assert_eq!(other.strictest(Check::Spf, Rule::Refuse), Rule::Off);
        assert_eq!(other.strictest(Check::Lists, Rule::Refuse), Rule::Off);
    }
}
