//! What happens to a message on its way: the events of its story.

use super::id::{ObjectId, UserId};
use super::message::TimeMs;
use super::queue::{Entry, QueueId, TraceId};
use super::transaction::MailTransaction;
use std::net::IpAddr;

/// Octets kept of one text of an event.
const TEXT_OCTETS_MAX: usize = 500;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Happening {
    /// It came: from a client, a user, the API.
    Received,
    /// A check was made of it.
    Checked,
    /// It was refused, with a reply.
    Refused,
    /// A rule of a user matched it.
    Rule,
    /// It is in a mailbox.
    Stored,
    /// It goes no further, in silence.
    Dropped,
    /// It is in the queue for one recipient.
    Queued,
    /// A next hop was tried.
    Attempt,
    /// The next hop has it.
    Delivered,
    /// It is tried again later.
    Deferred,
    /// It was given up, and its sender told, if he wants to know.
    Bounced,
    /// Somebody took it out of the queue.
    Cancelled,
    /// The recipient is on the suppression list.
    Suppressed,
    /// Somebody paused, resumed, rerouted or hastened it.
    Steered,
    /// Another server reported that it did not arrive (RFC 3464).
    BounceReceived,
    /// Somebody complained about it (RFC 5965).
    Complaint,
}

impl Happening {
    /// All of them.
    pub const EVERY: [Self; 16] = [
        Self::Received,
        Self::Checked,
        Self::Refused,
        Self::Rule,
        Self::Stored,
        Self::Dropped,
        Self::Queued,
        Self::Attempt,
        Self::Delivered,
        Self::Deferred,
        Self::Bounced,
        Self::Cancelled,
        Self::Suppressed,
        Self::Steered,
        Self::BounceReceived,
        Self::Complaint,
    ];

    /// Its name in documents, answers and parameters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Checked => "checked",
            Self::Refused => "refused",
            Self::Rule => "rule",
            Self::Stored => "stored",
            Self::Dropped => "dropped",
            Self::Queued => "queued",
            Self::Attempt => "attempt",
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
            Self::Cancelled => "cancelled",
            Self::Suppressed => "suppressed",
            Self::Steered => "steered",
            Self::BounceReceived => "bounceReceived",
            Self::Complaint => "complaint",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|happening| happening.name() == name)
    }
}

/// What else is known of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// The protocol it came by (RFC 3848).
    With,
    /// The client's own name.
    Helo,
    /// Octets.
    Octets,
    /// Which check: `spf`, `dkim`, `greylist`, …
    Check,
    /// What came of it: `pass`, `fail`, …
    Result,
    /// The reply that was given or got.
    Reply,
    /// Which rule.
    Rule,
    /// The mailbox.
    Mailbox,
    /// UID in it.
    Uid,
    /// Why.
    Reason,
    /// The next hop.
    Host,
    /// How the connection was protected.
    Tls,
    /// When it is tried, milliseconds since 1970.
    Due,
    /// Where it goes instead.
    Target,
    /// Who did it.
    By,
}

impl Detail {
    /// All of them, in the order of answers.
    pub const EVERY: [Self; 15] = [
        Self::With,
        Self::Helo,
        Self::Octets,
        Self::Check,
        Self::Result,
        Self::Reply,
        Self::Rule,
        Self::Mailbox,
        Self::Uid,
        Self::Reason,
        Self::Host,
        Self::Tls,
        Self::Due,
        Self::Target,
        Self::By,
    ];

    /// Its name in documents and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::With => "with",
            Self::Helo => "helo",
            Self::Octets => "octets",
            Self::Check => "check",
            Self::Result => "result",
            Self::Reply => "reply",
            Self::Rule => "rule",
            Self::Mailbox => "mailbox",
            Self::Uid => "uid",
            Self::Reason => "reason",
            Self::Host => "host",
            Self::Tls => "tls",
            Self::Due => "due",
            Self::Target => "target",
            Self::By => "by",
        }
    }
}

/// One event, as it is recorded: what is unknown is absent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Whose story it belongs to.
    pub trace: TraceId,
    /// What happened.
    pub what: Happening,
    /// The message's name in the queue.
    pub queue_id: Option<QueueId>,
    /// Whose mailbox it is, or on whose behalf it is sent.
    pub user: Option<UserId>,
    /// Reverse-path; empty for the null path.
    pub sender: Option<String>,
    /// Forward-path.
    pub recipient: Option<String>,
    /// Message-ID, in its brackets.
    pub message_id: Option<String>,
    /// The address of the client, or of the next hop.
    pub peer: Option<IpAddr>,
    /// What else is known.
    pub details: Vec<(Detail, String)>,
}

impl Event {
    /// An event of which nothing else is known yet.
    pub const fn new(trace: TraceId, what: Happening) -> Self {
        Self {
            trace,
            what,
            queue_id: None,
            user: None,
            sender: None,
            recipient: None,
            message_id: None,
            peer: None,
            details: Vec::new(),
        }
    }

    /// An event of a message that is coming in.
    pub fn of_transaction(transaction: &MailTransaction, what: Happening) -> Self {
        let sender = transaction.reverse_path.as_ref().map(ToString::to_string);
        Self {
            sender: Some(sender.unwrap_or_default()),
            peer: Some(transaction.peer),
            ..Self::new(transaction.trace, what)
        }
    }

    /// An event of a message that is going out.
    pub fn of_entry(entry: &Entry, what: Happening) -> Self {
        Self {
            queue_id: Some(entry.queue_id),
            user: entry.user,
            sender: Some(entry.sender.clone()),
            recipient: Some(entry.recipient.clone()),
            ..Self::new(entry.trace, what)
        }
    }

    /// With its queue id.
    #[must_use]
    pub const fn queue_id(mut self, queue_id: QueueId) -> Self {
        self.queue_id = Some(queue_id);
        self
    }

    /// With its user.
    #[must_use]
    pub const fn user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// With its recipient.
    #[must_use]
    pub fn recipient(mut self, recipient: impl ToString) -> Self {
        self.recipient = Some(recipient.to_string());
        self
    }

    /// With its Message-ID, unless that is empty.
    #[must_use]
    pub fn message_id(mut self, message_id: &str) -> Self {
        self.message_id = (!message_id.is_empty()).then(|| message_id.to_owned());
        self
    }

    /// With the address of the other side.
    #[must_use]
    pub const fn peer(mut self, peer: IpAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// With one more detail.
    #[must_use]
    pub fn with(mut self, detail: Detail, value: impl ToString) -> Self {
        self.details.push((detail, value.to_string()));
        self
    }

    /// The same with every text cut to a bound: strangers wrote most of them.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let names = [&mut self.sender, &mut self.recipient, &mut self.message_id];
        for text in names.into_iter().flatten() {
            cut(text);
        }
        for (_, text) in &mut self.details {
            cut(text);
        }
        self
    }

    /// What it is found by.
    pub fn keys(&self) -> Vec<SearchKey> {
        let keys = [
            self.sender.as_ref().filter(|sender| !sender.is_empty()).map(|s| SearchKey::sender(s)),
            self.recipient.as_ref().map(|recipient| SearchKey::recipient(recipient)),
            self.message_id.as_ref().map(|id| SearchKey::message_id(id)),
            self.queue_id.map(SearchKey::queue_id),
            self.user.map(SearchKey::user),
            self.peer.map(SearchKey::peer),
        ];
        keys.into_iter().flatten().collect()
    }
}

fn cut(text: &mut String) {
    if text.len() > TEXT_OCTETS_MAX {
        text.truncate(text.floor_char_boundary(TEXT_OCTETS_MAX));
    }
}

/// One thing events are found by, as text: a letter that says what it is, then the normal form.
///
/// `s:` reverse-path, `r:` forward-path, `m:` Message-ID, `q:` queue id, `u:` user, `a:` address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SearchKey(String);

impl SearchKey {
    /// Reverse-path.
    pub fn sender(address: &str) -> Self {
        Self(format!("s:{}", address.to_lowercase()))
    }

    /// Forward-path.
    pub fn recipient(address: &str) -> Self {
        Self(format!("r:{}", address.to_lowercase()))
    }

    /// Message-ID, with or without its brackets.
    pub fn message_id(id: &str) -> Self {
        let id = id.trim().trim_start_matches('<').trim_end_matches('>');
        Self(format!("m:{id}"))
    }

    /// Queue id.
    pub fn queue_id(id: QueueId) -> Self {
        Self(format!("q:{id}"))
    }

    /// User.
    pub fn user(id: UserId) -> Self {
        Self(format!("u:{id}"))
    }

    /// Address of the other side.
    pub fn peer(address: IpAddr) -> Self {
        Self(format!("a:{}", address.to_canonical()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A recorded event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// Identifier; ascending in time, to the second on several nodes.
    pub id: ObjectId,
    /// When it happened.
    pub at_ms: TimeMs,
    /// What.
    pub event: Event,
}

/// Which events are looked for; all conditions together.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Search {
    /// Having all of these.
    pub keys: Vec<SearchKey>,
    /// Of this story.
    pub trace: Option<TraceId>,
    /// Only these happenings; empty: all.
    pub what: Vec<Happening>,
    /// Not before.
    pub since_ms: Option<TimeMs>,
    /// Before.
    pub until_ms: Option<TimeMs>,
    /// Older than this event.
    pub before: Option<ObjectId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_known() {
        for happening in Happening::EVERY {
            assert_eq!(Happening::named(happening.name()), Some(happening));
        }
        let mut names = Detail::EVERY.map(Detail::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn an_event_is_found_by_all_it_knows_in_any_case() {
        let id = ObjectId::from_octets([1; 12]);
        let event = Event::new(id, Happening::Received)
            .recipient("Anna@A.example")
            .message_id("<1@x>")
            .peer("::ffff:192.0.2.1".parse().unwrap());
        let keys = event.keys();
        let expected = [
            SearchKey::recipient("anna@a.example"),
            SearchKey::message_id("1@x"),
            SearchKey::peer("192.0.2.1".parse().unwrap()),
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn texts_of_strangers_are_cut_between_characters() {
        let long = "ü".repeat(400);
        let event = Event::new(ObjectId::from_octets([1; 12]), Happening::Refused)
            .with(Detail::Reply, "a".to_owned() + &long)
            .bounded();
        assert_eq!(event.details[0].1.len(), 499);
    }
}
