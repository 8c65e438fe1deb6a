//! Users and addresses as those who manage them see them.

use super::forward::Forwarding;
use super::id::{AddressId, ObjectId, UserId};
use super::target::ForwardTarget;
use super::user::User;

/// A number kept with a user; 0 is the store's default (or "none").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UserNumber {
    /// Octets allowed.
    Quota,
    /// Messages allowed.
    QuotaMessages,
    /// Milliseconds messages are kept.
    Retention,
    /// 0 (all is spam) to 100 (nothing is).
    SpamLevel,
    /// Messages sent in 24 hours.
    Recipients,
    /// Messages forwarded in 24 hours.
    Forwards,
    /// Filters.
    Filters,
    /// Messages received in 60 seconds.
    ReceivedMax,
    /// Octets uploaded over IMAP in a day.
    ImapMaxUpload,
    /// Octets downloaded over IMAP in a day.
    ImapMaxDownload,
    /// Parallel IMAP sessions.
    ImapMaxConnections,
    /// Octets downloaded over POP3 in a day.
    Pop3MaxDownload,
    /// Messages listed over POP3.
    Pop3MaxMessages,
}

impl UserNumber {
    /// All of them.
    pub const EVERY: [Self; 13] = [
        Self::Quota,
        Self::QuotaMessages,
        Self::Retention,
        Self::SpamLevel,
        Self::Recipients,
        Self::Forwards,
        Self::Filters,
        Self::ReceivedMax,
        Self::ImapMaxUpload,
        Self::ImapMaxDownload,
        Self::ImapMaxConnections,
        Self::Pop3MaxDownload,
        Self::Pop3MaxMessages,
    ];

    /// Its name in documents and in the HTTP API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::QuotaMessages => "quotaMessages",
            Self::Retention => "retention",
            Self::SpamLevel => "spamLevel",
            Self::Recipients => "recipients",
            Self::Forwards => "forwards",
            Self::Filters => "filters",
            Self::ReceivedMax => "receivedMax",
            Self::ImapMaxUpload => "imapMaxUpload",
            Self::ImapMaxDownload => "imapMaxDownload",
            Self::ImapMaxConnections => "imapMaxConnections",
            Self::Pop3MaxDownload => "pop3MaxDownload",
            Self::Pop3MaxMessages => "pop3MaxMessages",
        }
    }

    /// The value of a new user.
    pub const fn default_value(self) -> u64 {
        match self {
            Self::SpamLevel => 50,
            _ => 0,
        }
    }
}

/// Everything about a user but his secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// What delivery and login need.
    pub user: User,
    /// Name for people, may be empty.
    pub name: String,
    /// Language of mailbox names.
    pub language: Option<String>,
    /// Numbers in the order of [`UserNumber::EVERY`].
    pub numbers: Vec<(UserNumber, u64)>,
    /// Tags as given, sorted.
    pub tags: Vec<String>,
    /// Further addresses he may send from.
    pub from_whitelist: Vec<String>,
    /// Doors closed to him: `imap`, `pop3`, `smtp`.
    pub disabled_scopes: Vec<String>,
    /// JSON text of the owner.
    pub meta_data: Option<String>,
    /// JSON text of the operator.
    pub internal_data: Option<String>,
    /// Submitted messages are stored in Sent.
    pub upload_sent_messages: bool,
    /// He is complete.
    pub is_activated: bool,
    /// Second factors that are on: `totp`, `webauthn`, `custom`.
    pub second_factors: Vec<String>,
    /// Clients shall insist on a second factor.
    pub requires_second_factor: bool,
    /// Keys and wishes for encryption.
    pub encryption: Encryption,
    /// His messages shall be indexed; `None`: nobody said.
    pub is_indexed: Option<bool>,
    /// Whether he has a password at all.
    pub has_password: bool,
    /// Whether strangers know his password.
    pub breach: Breach,
    /// Whether a temporary password waits to be replaced.
    pub requires_password_change: bool,
    /// When he was created, milliseconds since 1970.
    pub created_ms: i64,
}

/// What a list of stolen passwords says of a user's.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Breach {
    /// It is on the list.
    pub is_known: bool,
    /// When it was looked up, milliseconds since 1970.
    pub checked_ms: Option<i64>,
}

impl Profile {
    /// One number.
    pub fn number(&self, number: UserNumber) -> u64 {
        self.numbers.iter().find(|pair| pair.0 == number).map_or(0, |pair| pair.1)
    }
}

/// What is set when a user is created or changed; `None` leaves it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "as in Profile")]
pub struct ProfileUpdate {
    pub name: Option<String>,
    pub language: Option<String>,
    pub numbers: Vec<(UserNumber, u64)>,
    pub tags: Option<Vec<String>>,
    pub from_whitelist: Option<Vec<String>>,
    pub disabled_scopes: Option<Vec<String>>,
    pub meta_data: Option<String>,
    pub internal_data: Option<String>,
    pub upload_sent_messages: Option<bool>,
    pub disabled: Option<bool>,
    pub suspended: Option<bool>,
    pub requires_second_factor: Option<bool>,
    pub is_indexed: Option<bool>,
    pub targets: Option<Vec<ForwardTarget>>,
    /// `Some(None)`: his mail goes to the recipients' own servers again.
    pub relay: Option<Option<ForwardTarget>>,
    pub encryption: EncryptionUpdate,
    pub disables_second_factors: bool,
}

/// Keys and wishes for the encryption of a user's mail.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Encryption {
    /// PGP key in armour; empty: none.
    pub pub_key: String,
    /// S/MIME certificates, PEM.
    pub smime_certs: Vec<String>,
    /// `AES-CBC` or `AES-GCM`.
    pub smime_cipher: Option<String>,
    /// `PKCS#1 v1.5` or `OAEP`.
    pub smime_key_transport: Option<String>,
    /// Stored messages shall be encrypted.
    pub messages: bool,
    /// Forwarded messages shall be encrypted.
    pub forwarded: bool,
}

/// What is changed of [`Encryption`]; `None` leaves it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "as in Encryption")]
pub struct EncryptionUpdate {
    pub pub_key: Option<String>,
    pub smime_certs: Option<Vec<String>>,
    pub smime_cipher: Option<String>,
    pub smime_key_transport: Option<String>,
    pub messages: Option<bool>,
    pub forwarded: Option<bool>,
}

/// An address and whose it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressEntry {
    /// Identifier.
    pub id: AddressId,
    /// Whose mail it receives; `None`: nobody's, it only forwards.
    pub user: Option<UserId>,
    /// Where what comes goes on to; only without a user.
    pub forwarding: Option<Forwarding>,
    /// The address as given, or a pattern with one `*`.
    pub address: String,
    /// Its lookup form.
    pub lookup: String,
    /// Name for people, may be empty.
    pub name: String,
    /// Tags as given, sorted.
    pub tags: Vec<String>,
    /// JSON text of the owner.
    pub meta_data: Option<String>,
    /// JSON text of the operator.
    pub internal_data: Option<String>,
    /// When it was created, milliseconds since 1970.
    pub created_ms: i64,
}

/// What is changed of an address; `None` leaves it.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "as in AddressEntry")]
pub struct AddressUpdate {
    pub name: Option<String>,
    pub tags: Option<Vec<String>>,
    pub meta_data: Option<String>,
    pub internal_data: Option<String>,
    pub forwarding: Option<Forwarding>,
}

/// Somebody a user has written to or heard from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Contact {
    /// Identifier.
    pub id: ObjectId,
    /// Name, may be empty.
    pub name: String,
    /// Address.
    pub address: String,
}

/// A domain that stands for another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainAlias {
    /// Identifier.
    pub id: ObjectId,
    /// The domain that stands for the other.
    pub alias: String,
    /// The domain whose addresses it has.
    pub domain: String,
    /// When it was created, milliseconds since 1970.
    pub created_ms: i64,
}

/// What a list says of a sender's domain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DomainAction {
    /// Not spam.
    Allow,
    /// Spam.
    Block,
}

impl DomainAction {
    /// Its name in documents and in the HTTP API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
        }
    }

    /// The action of a name.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Allow, Self::Block].into_iter().find(|action| action.name() == name)
    }
}

/// Rows of one page and what lies around it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows in order.
    pub rows: Vec<T>,
    /// Rows of all pages.
    pub total: u64,
    /// Whether more rows follow in the direction of reading.
    pub has_more: bool,
}

/// Trims, drops empty and doubled tags (in any case) and sorts; the first spelling stays.
pub fn normal_tags(tags: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for tag in tags.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty()) {
        let lower = tag.to_lowercase();
        if !kept.iter().any(|other| other.to_lowercase() == lower) {
            kept.push(tag.to_owned());
        }
    }
    kept.sort_by_key(|tag| tag.to_lowercase());
    kept
}

#[cfg(test)]
mod tests {
    #[test]
    fn tags_are_trimmed_sorted_and_unique() {
        let tags = [" b ", "A", "B", "", "a"].map(str::to_owned);
        assert_eq!(super::normal_tags(&tags), ["A", "b"]);
    }
}
