//! A user's rules on a message: pure, no database (`reference/behaviours.md` §6).
//!
//! Lists of domains come first, then the user's filters in their order, then his spam level. All
//! filters that match apply; of each action the first value counts, targets add up.

use super::traits::Traits;
use crate::model::filter::{Filter, FilterQuery};
use crate::model::id::{MailboxId, ObjectId};
use crate::model::target::ForwardTarget;
use crate::model::user::UserRules;

/// Where a message goes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Place {
    /// INBOX.
    #[default]
    Inbox,
    /// The mailbox for spam.
    Junk,
    /// This mailbox; INBOX if it is gone.
    Mailbox(MailboxId),
}

/// Who decided whether it is spam.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judge {
    /// A list of domains of the user's tags.
    DomainList,
    /// A filter.
    Filter(ObjectId),
    /// The user's spam level.
    SpamLevel,
}

/// What is done with a message for one user.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Where it goes.
    pub place: Place,
    /// It is `\Seen`.
    pub is_seen: bool,
    /// It is `\Flagged`.
    pub is_flagged: bool,
    /// It is not stored.
    pub is_dropped: bool,
    /// It is spam or is not, if anybody said so.
    pub spam: Option<(bool, Judge)>,
    /// Where it is forwarded to, each target once.
    pub targets: Vec<ForwardTarget>,
    /// Filters that matched.
    pub matched: Vec<ObjectId>,
}

impl Decision {
    /// Whether it counts as spam.
    pub fn is_spam(&self) -> bool {
        matches!(self.spam, Some((true, _)))
    }

    fn judge(&mut self, is_spam: bool, judge: Judge) {
        if self.spam.is_none() {
            self.spam = Some((is_spam, judge));
            // of spam and a mailbox, what is decided later wins
            if is_spam {
                self.place = Place::Junk;
            }
        }
    }
}

/// Decides. `is_listed`: the sender's domain is allowed (`true`) or blocked (`false`) by a list.
pub fn decide(
    rules: &UserRules,
    filters: &[Filter],
    traits: &Traits,
    is_listed: Option<bool>,
) -> Decision {
    let mut decision = Decision::default();
    if let Some(is_allowed) = is_listed {
        decision.judge(!is_allowed, Judge::DomainList);
    }
    let (mut seen, mut flag, mut delete, mut mailbox) = (None, None, None, None);
    let mut targets = Vec::new();
    for filter in filters.iter().filter(|filter| !filter.is_disabled) {
        if !matches(&filter.query, traits) {
            continue;
        }
        decision.matched.push(filter.id);
        let action = &filter.action;
        seen = seen.or(action.seen);
        flag = flag.or(action.flag);
        delete = delete.or(action.delete);
        if let Some(is_spam) = action.spam {
            decision.judge(is_spam, Judge::Filter(filter.id));
        }
        if let (None, Some(id)) = (mailbox, action.mailbox) {
            mailbox = Some(id);
            decision.place = Place::Mailbox(id);
        }
        targets.extend(action.targets.iter().cloned());
    }
    // 0: all is spam; 100: nothing is
    if rules.spam_level < 100 && traits.spam_score >= rules.spam_level {
        decision.judge(true, Judge::SpamLevel);
    }
    decision.is_seen = seen.unwrap_or(false);
    decision.is_flagged = flag.unwrap_or(false);
    decision.is_dropped = delete.unwrap_or(false);
    if !decision.is_spam() {
        let own = if decision.is_dropped { &[][..] } else { &rules.targets };
        for target in own.iter().cloned().chain(targets) {
            if !decision.targets.contains(&target) {
                decision.targets.push(target);
            }
        }
    }
    decision
}

/// Whether a message meets all conditions that are given.
pub fn matches(query: &FilterQuery, traits: &Traits) -> bool {
    let has = |wanted: &Option<String>, text: &str| {
        wanted.as_ref().is_none_or(|wanted| text.contains(&wanted.to_lowercase()))
    };
    has(&query.from, &traits.from)
        && has(&query.to, &traits.to)
        && has(&query.subject, &traits.subject)
        && has(&query.list_id, &traits.list_id)
        && (query.has_attachments != Some(true) || traits.has_attachments)
        && query.size.is_none_or(|size| match u64::try_from(size) {
            Ok(0) => true,
            Ok(larger_than) => traits.octets > larger_than,
            Err(_) => traits.octets < size.unsigned_abs(),
        })
        && query.text.as_ref().is_none_or(|text| has_words(text, traits))
}

/// Words split by space or comma are all wanted; `OR` separates alternatives; quotes make a phrase.
fn has_words(wanted: &str, traits: &Traits) -> bool {
    let mut alternatives: Vec<Vec<String>> = vec![Vec::new()];
    for (word, is_quoted) in words(wanted) {
        if word == "OR" && !is_quoted {
            alternatives.push(Vec::new());
        } else if let Some(last) = alternatives.last_mut() {
            last.push(word.to_lowercase());
        }
    }
    alternatives.retain(|words| !words.is_empty());
    let text = if alternatives.is_empty() { "" } else { traits.text() };
    alternatives.is_empty()
        || alternatives.iter().any(|words| words.iter().all(|word| text.contains(word)))
}

/// The words and phrases of a condition; whether each was quoted.
fn words(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut is_quoted = false;
    for c in text.chars() {
        if c == '"' {
            if !word.is_empty() {
                found.push((std::mem::take(&mut word), is_quoted));
            }
            is_quoted = !is_quoted;
        } else if !is_quoted && (c.is_whitespace() || c == ',') {
            if !word.is_empty() {
                found.push((std::mem::take(&mut word), false));
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        found.push((word, is_quoted));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::traits::traits_of;
    use super::*;
    use crate::model::filter::FilterAction;
    use crate::model::id::UserId;

    const MESSAGE: &[u8] =
        b"From: Bob <bob@b.example>\r\nTo: me@a.example\r\nCc: you@a.example\r\n\
        Subject: Big news\r\nList-Id: <news.b.example>\r\n\r\nThe quick brown fox, jumps\r\n";

    fn filter(number: u8, query: FilterQuery, action: FilterAction) -> Filter {
        Filter {
            id: ObjectId::from_octets([number; 12]),
            user: UserId::from_octets([1; 12]),
            name: String::new(),
            query,
            action,
            is_disabled: false,
            meta_data: None,
            created_ms: 0,
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn conditions_are_all_needed() {
        let traits = traits_of(MESSAGE);
        let octets = i64::try_from(MESSAGE.len()).unwrap();
        let q = FilterQuery::default;
        let fitting = [
            q(),
            FilterQuery { from: some("BOB@b"), to: some("you@"), ..q() },
            FilterQuery { subject: some("NEWS"), list_id: some("news.b"), ..q() },
            FilterQuery { size: Some(octets - 1), ..q() },
            FilterQuery { size: Some(-octets - 1), ..q() },
            FilterQuery { has_attachments: Some(false), ..q() },
            FilterQuery { text: some("fox, QUICK"), ..q() },
            FilterQuery { text: some("cat OR \"brown fox\""), ..q() },
            FilterQuery { text: some("cat dog OR jumps"), ..q() },
        ];
        for query in fitting {
            assert!(matches(&query, &traits), "{query:?}");
        }
        let others = [
            FilterQuery { from: some("bob"), subject: some("olds"), ..q() },
            FilterQuery { to: some("bob"), ..q() },
            FilterQuery { size: Some(octets), ..q() },
            FilterQuery { size: Some(-octets), ..q() },
            FilterQuery { has_attachments: Some(true), ..q() },
            FilterQuery { text: some("fox cat"), ..q() },
            FilterQuery { text: some("\"fox brown\""), ..q() },
            FilterQuery { text: some("cat or fox"), ..q() },
        ];
        for query in others {
            assert!(!matches(&query, &traits), "{query:?}");
        }
    }

    #[test]
    fn first_values_win_and_targets_add_up() {
        let traits = traits_of(MESSAGE);
        let rules = UserRules { spam_level: 50, ..UserRules::default() };
        let (one, two) = (MailboxId::from_octets([1; 12]), MailboxId::from_octets([2; 12]));
        let a = ForwardTarget::new("a@x.example").unwrap();
        let b = ForwardTarget::new("b@x.example").unwrap();
        let filters = [
            filter(
                1,
                FilterQuery { from: some("eve"), ..FilterQuery::default() },
                FilterAction { delete: Some(true), ..FilterAction::default() },
            ),
            filter(
                2,
                FilterQuery::default(),
                FilterAction {
                    seen: Some(false),
                    mailbox: Some(one),
                    targets: vec![a.clone()],
                    ..FilterAction::default()
                },
            ),
            filter(
                3,
                FilterQuery::default(),
                FilterAction {
                    seen: Some(true),
                    flag: Some(true),
                    mailbox: Some(two),
                    targets: vec![b.clone(), a.clone()],
                    ..FilterAction::default()
                },
            ),
        ];
        let decision = decide(&rules, &filters, &traits, None);
        assert_eq!(decision.place, Place::Mailbox(one));
        assert!(!decision.is_seen && decision.is_flagged && !decision.is_dropped);
        assert_eq!(decision.targets, [a.clone(), b]);
        assert_eq!(decision.matched, [filters[1].id, filters[2].id]);
        assert_eq!(decision.spam, None);
        // the users' own targets come first; not with what is dropped
        let rules = UserRules { targets: vec![a.clone()], ..rules };
        assert_eq!(decide(&rules, &[], &traits, None).targets, [a]);
        let drop = FilterAction { delete: Some(true), ..FilterAction::default() };
        let dropped = decide(&rules, &[filter(1, FilterQuery::default(), drop)], &traits, None);
        assert!(dropped.is_dropped && dropped.targets.is_empty());
    }

    #[test]
    fn spam_is_decided_once_and_the_later_place_wins() {
        let spam = traits_of(b"X-Spam-Flag: YES\r\nFrom: x@y.example\r\n\r\n");
        let fine = traits_of(MESSAGE);
        let rules = |spam_level| UserRules {
            spam_level,
            targets: vec![ForwardTarget::new("a@x.example").unwrap()],
            ..UserRules::default()
        };
        let place = |level, filters: &[Filter], traits: &Traits, listed| {
            decide(&rules(level), filters, traits, listed).place
        };
        assert_eq!(place(25, &[], &spam, None), Place::Junk);
        assert_eq!(place(26, &[], &spam, None), Place::Inbox);
        assert_eq!(place(0, &[], &fine, None), Place::Junk);
        assert_eq!(place(100, &[], &spam, None), Place::Inbox);
        assert_eq!(place(25, &[], &spam, Some(true)), Place::Inbox, "the list said it is none");
        assert_eq!(place(100, &[], &fine, Some(false)), Place::Junk);
        assert!(decide(&rules(25), &[], &spam, None).targets.is_empty(), "spam is not forwarded");
        let id = MailboxId::from_octets([3; 12]);
        let to = |spam| FilterAction { spam, mailbox: Some(id), ..FilterAction::default() };
        let filters = |spam| [filter(9, FilterQuery::default(), to(spam))];
        // a list's verdict is earlier than a filter's mailbox, the level's is later
        assert_eq!(place(100, &filters(None), &fine, Some(false)), Place::Mailbox(id));
        assert_eq!(place(25, &filters(None), &spam, None), Place::Junk);
        assert_eq!(place(25, &filters(Some(false)), &spam, None), Place::Mailbox(id));
        let decision = decide(&rules(50), &filters(Some(true)), &fine, None);
        assert_eq!(decision.spam, Some((true, Judge::Filter(ObjectId::from_octets([9; 12])))));
    }
}
