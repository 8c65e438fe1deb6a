//! Changes of mailboxes as the events of the update stream (`reference/http-api.md`, Updates).

use crate::mailstore::Mailstore;
use crate::mailstore::events::{Event, Kind};
use crate::mailstore::fetch::Fields;
use crate::model::error::Result;
use crate::model::id::{MailboxId, UserId};
use crate::model::mailbox::{Mailbox, SpecialUse};
use crate::model::uid::Uid;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

use super::reply::iso_date;

/// One event as a block of the stream: its JSON, every line of it behind `data: `, then its id.
pub fn block(event: &Value, id: Option<&str>) -> String {
    let text = serde_json::to_string_pretty(event).unwrap_or_default();
    let mut block = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        block.push_str("data: ");
        block.push_str(line);
        block.push('\n');
    }
    if let Some(id) = id {
        block.push_str("id: ");
        block.push_str(id);
        block.push('\n');
    }
    block.push('\n');
    block
}

/// What changes of a batch are told with.
pub struct Teller<'a> {
    /// Where messages are read.
    pub mailstore: &'a Mailstore,
    /// Whose.
    pub user: UserId,
    /// The mailboxes of the batch that exist.
    pub mailboxes: &'a HashMap<MailboxId, Mailbox>,
}

impl Teller<'_> {
    /// The events of one change. One round trip for those that name messages.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn events(&self, change: &Event) -> Result<Vec<Value>> {
        match change.kind {
            Kind::Append | Kind::Flags => self.messages(change).await,
            Kind::Expunge => Ok(self.expunges(change)),
            Kind::Create => Ok(self.named("CREATE", change)),
            Kind::Update => Ok(self.named("RENAME", change)),
            // DROP is for those who have the mailbox open, DELETE is in the log
            Kind::Delete => Ok(vec![event("DROP", change), event("DELETE", change)]),
        }
    }

    fn named(&self, command: &str, change: &Event) -> Vec<Value> {
        let mut event = event(command, change);
        // One that is gone again is told of by its own event
        let Some(mailbox) = self.mailboxes.get(&change.mailbox) else { return Vec::new() };
        put(&mut event, "path", mailbox.name.as_str().into());
        vec![event]
    }

    /// EXISTS and FETCH of messages that are still there.
    async fn messages(&self, change: &Event) -> Result<Vec<Value>> {
        let mut events = Vec::new();
        let is_new = change.kind == Kind::Append;
        let mailbox = self.mailboxes.get(&change.mailbox);
        let is_junk = mailbox.is_some_and(|found| found.special_use == Some(SpecialUse::Junk));
        let fields = Fields::default();
        let mut stream =
            self.mailstore.fetch(self.user, change.mailbox, &change.uids, fields).await?;
        while let Some(message) = stream.next().await? {
            let mut event = event(if is_new { "EXISTS" } else { "FETCH" }, change);
            put(&mut event, "uid", message.row.uid.into());
            put(&mut event, "message", message.id.to_string().into());
            put(&mut event, "thread", message.thread.to_string().into());
            if is_new {
                put(&mut event, "idate", iso_date(message.row.internal_date).into());
                if is_junk {
                    put(&mut event, "junk", 1.into());
                }
            } else {
                put(&mut event, "flags", json!(message.row.flags.names().collect::<Vec<_>>()));
            }
            events.push(event);
        }
        Ok(events)
    }

    /// EXPUNGE of every message; those of a large expunge are known by their UIDs only.
    fn expunges(&self, change: &Event) -> Vec<Value> {
        let gone: HashMap<Uid, _> = change.gone.iter().map(|gone| (gone.uid, gone)).collect();
        let one = |uid: Uid| {
            let mut event = event("EXPUNGE", change);
            put(&mut event, "uid", uid.into());
            if let Some(gone) = gone.get(&uid) {
                put(&mut event, "message", gone.id.to_string().into());
                put(&mut event, "thread", gone.thread.to_string().into());
            }
            event
        };
        change.uids.iter().map(one).collect()
    }
}

fn event(command: &str, change: &Event) -> Value {
    json!({ "command": command, "mailbox": change.mailbox.to_string() })
}

fn put(event: &mut Value, key: &str, value: Value) {
    if let Some(fields) = event.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

/// The counters of a mailbox.
pub fn counters(mailbox: &Mailbox) -> Value {
    let counts = mailbox.counts;
    json!({
        "command": "COUNTERS", "mailbox": mailbox.id.to_string(),
        "total": counts.messages, "unseen": counts.unseen,
    })
}

/// The end of the user's sessions.
pub fn logout(reason: &str) -> Value {
    let mut event = Map::from_iter([("command".to_owned(), json!("LOGOUT"))]);
    event.insert("reason".to_owned(), reason.into());
    Value::Object(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_the_form_of_the_reference() {
        let text = block(&json!({"command": "EXISTS", "uid": 5}), Some("0123456789abcdef01234567"));
        let expected = "data: {\ndata:   \"command\": \"EXISTS\",\ndata:   \"uid\": 5\ndata: }\n\
            id: 0123456789abcdef01234567\n\n";
        assert_eq!(text, expected);
        assert!(!block(&logout("bye"), None).contains("id:"));
    }
}
