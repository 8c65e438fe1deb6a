//! NOTIFY (RFC 5465 §8).

use super::error::ErrorKind;
use super::fetch::{self, FetchItem};
use super::lexer::{Lexer, Parse};

/// NOTIFY.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notify {
    /// `NONE`
    None,
    /// `SET`
    Set {
        /// `STATUS`: the state of every watched mailbox is told at once.
        status: bool,
        /// The first that fits a mailbox counts.
        groups: Vec<EventGroup>,
    },
}

/// Some mailboxes and what is told of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventGroup {
    /// Which mailboxes.
    pub filter: Filter,
    /// What; empty for NONE.
    pub events: Vec<Event>,
}

/// `filter-mailboxes`; names are decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filter {
    /// The selected one, at once.
    Selected,
    /// The selected one; EXPUNGE waits for a command that allows it.
    SelectedDelayed,
    /// Those that mail is delivered to.
    Inboxes,
    /// All of the user.
    Personal,
    /// The subscribed ones.
    Subscribed,
    /// These and all below them.
    Subtree(Vec<String>),
    /// These.
    Mailboxes(Vec<String>),
}

/// An event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Messages came; what of them is fetched.
    MessageNew(Vec<FetchItem>),
    /// Messages went.
    MessageExpunge,
    /// Flags changed.
    FlagChange,
    /// A mailbox was created, renamed, deleted.
    MailboxName,
    /// A subscription changed.
    SubscriptionChange,
    /// `MailboxMetadataChange`
    MailboxMetadataChange,
    /// `ServerMetadataChange`
    ServerMetadataChange,
    /// Any other: known ones that are not offered, and unknown ones.
    Other(String),
}

/// Events that are offered, for BADEVENT.
pub const OFFERED: [&str; 7] = [
    "MessageNew",
    "MessageExpunge",
    "FlagChange",
    "MailboxName",
    "SubscriptionChange",
    "MailboxMetadataChange",
    "ServerMetadataChange",
];

/// `notify = "NOTIFY" SP ("SET" [SP "STATUS"] SP event-groups / "NONE")`, from behind the space.
pub(super) fn read(lexer: &mut Lexer<'_>) -> Parse<Notify> {
    const EXPECTED: &str = "SET or NONE";
    match lexer.word(EXPECTED)?.as_str() {
        "NONE" => return Ok(Notify::None),
        "SET" => lexer.space()?,
        _ => return Err(ErrorKind::Syntax(EXPECTED)),
    }
    let status = lexer.eat_word("STATUS");
    let mut groups: Vec<EventGroup> = Vec::new();
    loop {
        let group = read_group(lexer)?;
        // RFC 5465 §6.1: at most one of the two
        if group.is_selected() && groups.iter().any(EventGroup::is_selected) {
            return Err(ErrorKind::Syntax("the selected mailbox once"));
        }
        groups.push(group);
        if lexer.is_at_end() {
            return Ok(Notify::Set { status, groups });
        }
        lexer.space()?;
    }
}

impl EventGroup {
    /// Whether it is about the selected mailbox.
    pub const fn is_selected(&self) -> bool {
        matches!(self.filter, Filter::Selected | Filter::SelectedDelayed)
    }

    /// RFC 5465 §5, §6.1: which events need others, and which fit which mailboxes.
    fn check(&self) -> Parse<()> {
        let has = |wanted: fn(&Event) -> bool| self.events.iter().any(wanted);
        let (new, gone) = (
            has(|event| matches!(event, Event::MessageNew(_))),
            has(|event| *event == Event::MessageExpunge),
        );
        if new != gone {
            return Err(ErrorKind::Syntax("MessageNew and MessageExpunge together"));
        }
        let is_flags = |event: &Event| match event {
            Event::FlagChange => true,
            Event::Other(name) => name == "ANNOTATIONCHANGE",
            _ => false,
        };
        if self.events.iter().any(is_flags) && !new {
            return Err(ErrorKind::Syntax("MessageNew and MessageExpunge beside FlagChange"));
        }
        let fetches =
            |event: &Event| matches!(event, Event::MessageNew(items) if !items.is_empty());
        if !self.is_selected() && self.events.iter().any(fetches) {
            return Err(ErrorKind::Syntax("FETCH items for the selected mailbox only"));
        }
        let is_of_mailbox = |event: &Event| {
            use Event::{
                MailboxMetadataChange, MailboxName, ServerMetadataChange, SubscriptionChange,
            };
            matches!(
                event,
                MailboxName | SubscriptionChange | MailboxMetadataChange | ServerMetadataChange
            )
        };
        if self.is_selected() && self.events.iter().any(is_of_mailbox) {
            return Err(ErrorKind::Syntax("events of messages for the selected mailbox"));
        }
        Ok(())
    }
}

/// `event-group = "(" filter-mailboxes SP events ")"`
fn read_group(lexer: &mut Lexer<'_>) -> Parse<EventGroup> {
    const EXPECTED: &str = "a mailbox filter";
    lexer.expect(b'(', "an event group")?;
    let filter = match lexer.word(EXPECTED)?.as_str() {
        "SELECTED" => Filter::Selected,
        "SELECTED-DELAYED" => Filter::SelectedDelayed,
        "INBOXES" => Filter::Inboxes,
        "PERSONAL" => Filter::Personal,
        "SUBSCRIBED" => Filter::Subscribed,
        "SUBTREE" => Filter::Subtree(read_mailboxes(lexer)?),
        "MAILBOXES" => Filter::Mailboxes(read_mailboxes(lexer)?),
        _ => return Err(ErrorKind::Syntax(EXPECTED)),
    };
    lexer.space()?;
    let events = if lexer.peek() == Some(b'(') {
        lexer.list(read_event)?
    } else if lexer.eat_text("NONE") {
        Vec::new()
    } else {
        return Err(ErrorKind::Syntax("events or NONE"));
    };
    lexer.expect(b')', "the end of an event group")?;
    let group = EventGroup { filter, events };
    group.check()?;
    Ok(group)
}

/// `SP one-or-more-mailbox`, where `one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"`
fn read_mailboxes(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    lexer.space()?;
    if lexer.peek() == Some(b'(') { lexer.list(Lexer::mailbox) } else { Ok(vec![lexer.mailbox()?]) }
}

/// `event = message-event / mailbox-event / user-event / event-ext`, where `message-event =
/// ("MessageNew" [SP "(" fetch-att *(SP fetch-att) ")"]) / …`
fn read_event(lexer: &mut Lexer<'_>) -> Parse<Event> {
    let name = lexer.word("an event")?;
    Ok(match name.as_str() {
        "MESSAGENEW" => {
            let with_items = lexer.rest().starts_with(b" (");
            let items = if with_items {
                lexer.space()?;
                lexer.list(fetch::read_item)?
            } else {
                Vec::new()
            };
            Event::MessageNew(items)
        }
        "MESSAGEEXPUNGE" => Event::MessageExpunge,
        "FLAGCHANGE" => Event::FlagChange,
        "MAILBOXNAME" => Event::MailboxName,
        "SUBSCRIPTIONCHANGE" => Event::SubscriptionChange,
        "MAILBOXMETADATACHANGE" => Event::MailboxMetadataChange,
        "SERVERMETADATACHANGE" => Event::ServerMetadataChange,
        _ => Event::Other(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn parse(text: &'static str) -> Parse<Notify> {
        let source = Bytes::from_static(text.as_bytes());
        let mut lexer = Lexer::new(&source, false);
        let notify = read(&mut lexer)?;
        lexer.end().map(|()| notify)
    }

    fn groups(text: &'static str) -> Vec<EventGroup> {
        match parse(text) {
            Ok(Notify::Set { groups, .. }) => groups,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn examples_of_rfc_5465() {
        assert_eq!(parse("NONE"), Ok(Notify::None));
        // RFC 5465 §3.1, §5
        let all = groups(
            "set status (selected (MessageNew (uid body.peek[header.fields (from to subject)]) \
             MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))",
        );
        assert!(matches!(&all[0].events[0], Event::MessageNew(items) if items.len() == 2));
        assert_eq!(all[1].filter, Filter::Subtree(vec!["Lists".into()]));
        let wide = groups(
            "SET (mailboxes (a \"b c\") NONE) (personal (MailboxName SubscriptionChange)) \
             (inboxes (MessageNew FlagChange MessageExpunge)) (subscribed (X-New))",
        );
        assert_eq!(wide[0].filter, Filter::Mailboxes(vec!["a".into(), "b c".into()]));
        assert!(wide[0].events.is_empty());
        assert_eq!(wide[3].events, [Event::Other("X-NEW".into())]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for bad in [
            "",
            "SET",
            "SET STATUS",
            "SET (selected)",
            "SET (selected ())x",
            "SET (everything (MailboxName))",
            "SET (subtree (MailboxName))",
            "SET (personal (MessageNew))",
            "SET (personal (MessageExpunge))",
            "SET (personal (FlagChange))",
            "SET (personal (MessageNew (uid) MessageExpunge))",
            "SET (selected (MailboxName))",
            "SET (selected (ServerMetadataChange))",
            "SET (selected NONE) (selected-delayed NONE)",
            "SET (selected NONE)(personal NONE)",
            "NONE NONE",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
