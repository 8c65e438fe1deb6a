//! Mailboxes as the API shows them, and their order in lists.

use crate::codec::collation::Collation;
use crate::model::mailbox::Mailbox;
use serde::Serialize;
use utoipa::ToSchema;

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailboxView {
    /// Id.
    pub id: String,
    /// Last level of the path.
    pub name: String,
    /// Name with `/` between levels.
    pub path: String,
    /// Special use, like `\Sent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_use: Option<&'static str>,
    /// HIGHESTMODSEQ.
    pub modify_index: u64,
    /// Subscribed.
    pub subscribed: bool,
    /// Not shown over IMAP.
    pub hidden: bool,
    /// Messages are encrypted when stored.
    pub encrypt_messages: bool,
    /// Milliseconds messages are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<u64>,
    /// Octets of all messages, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Messages, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Messages without `\Seen`, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<u64>,
}

/// All mailboxes of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailboxList {
    /// Always true.
    pub success: bool,
    /// The mailboxes.
    pub results: Vec<MailboxView>,
}

/// One mailbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct MailboxShown {
    /// Always true.
    pub success: bool,
    /// The mailbox.
    #[serde(flatten)]
    pub mailbox: MailboxView,
}

/// The view of a mailbox of a user with this retention.
pub fn view(
    mailbox: &Mailbox,
    user_retention_ms: u64,
    with_counts: bool,
    with_size: bool,
) -> MailboxView {
    MailboxView {
        id: mailbox.id.to_string(),
        name: mailbox.name.leaf().to_owned(),
        path: mailbox.name.to_string(),
        special_use: mailbox.special_use.map(|special_use| special_use.name()),
        modify_index: mailbox.mod_seq,
        subscribed: mailbox.subscribed,
        hidden: mailbox.hidden,
        encrypt_messages: mailbox.encrypt_messages,
        retention: mailbox.kept_ms(user_retention_ms),
        size: with_size.then_some(mailbox.counts.octets),
        total: with_counts.then_some(mailbox.counts.messages),
        unseen: with_counts.then_some(mailbox.counts.unseen),
    }
}

/// INBOX, what is below it, then subscribed mailboxes, then the others; within these by name.
pub fn sort(mailboxes: &mut [Mailbox]) {
    mailboxes.sort_by_cached_key(|mailbox| {
        let name = mailbox.name.as_str();
        let class = match () {
            () if mailbox.name.is_inbox() => 0,
            () if name.starts_with("INBOX/") => 1,
            () if mailbox.subscribed => 2,
            () => 3,
        };
        (class, Collation::UnicodeCasemap.key(name), name.to_owned())
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{MailboxId, UserId};
    use crate::model::mailbox::{MailboxCounts, MailboxName, SpecialUse};
    use serde_json::json;

    fn mailbox(name: &str, subscribed: bool) -> Mailbox {
        Mailbox {
            id: MailboxId::from_octets([1; 12]),
            user: UserId::from_octets([2; 12]),
            name: MailboxName::new(name).unwrap(),
            special_use: (name == "Sent").then_some(SpecialUse::Sent),
            uid_validity: 1,
            uid_next: 5,
            mod_seq: 6,
            counts: MailboxCounts { messages: 4, unseen: 3, deleted: 0, octets: 100 },
            subscribed,
            hidden: false,
            encrypt_messages: false,
            retention_ms: Some(0),
            keywords: Vec::new(),
            acl: Default::default(),
            recent_from: 1,
        }
    }

    #[test]
    fn lists_have_the_order_of_the_reference() {
        let names =
            [("b", false), ("Sent", true), ("a", true), ("INBOX/x", false), ("inbox", true)];
        let mut mailboxes: Vec<Mailbox> = names.map(|(name, is)| mailbox(name, is)).to_vec();
        sort(&mut mailboxes);
        let sorted: Vec<&str> = mailboxes.iter().map(|mailbox| mailbox.name.as_str()).collect();
        assert_eq!(sorted, ["INBOX", "INBOX/x", "a", "Sent", "b"]);
    }

    #[test]
    fn views_show_what_was_asked_for() {
        let plain = json!(view(&mailbox("x/y", true), 0, false, false));
        assert_eq!((&plain["name"], &plain["path"]), (&json!("y"), &json!("x/y")));
        for absent in ["specialUse", "size", "total", "unseen", "retention"] {
            assert!(plain.get(absent).is_none(), "{absent}");
        }
        let full = json!(view(&mailbox("Sent", true), 0, true, true));
        assert_eq!(full["specialUse"], "\\Sent");
        assert_eq!(
            (&full["total"], &full["unseen"], &full["size"]),
            (&json!(4), &json!(3), &json!(100))
        );
    }
}
