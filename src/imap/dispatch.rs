//! A command to its handler, and what the client is told besides (RFC 9051 §5.2, §5.5, §7).

use super::reply::{Failure, Outcome, Reply};
use super::selected::Expunges;
use super::session::Session;
use super::sync::Look;
use crate::codec::imap::command::Command;
use crate::codec::imap::command_table::Rule;
use crate::codec::imap::response::Condition;
use crate::codec::imap::response_code::ResponseCode;

/// What is looked at when a command is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum After {
    /// The command says itself what there is to say, or leaves the mailbox.
    Nothing,
    /// What is known on this node anyway.
    View,
    /// The database: the client has asked for news, or has itself changed something.
    Database,
}

impl After {
    fn of(command: &Command) -> Self {
        match command {
            Command::Capability
            | Command::Logout
            | Command::Id(_)
            | Command::Starttls
            | Command::Authenticate { .. }
            | Command::Login { .. }
            | Command::Unauthenticate
            | Command::Compress(_)
            | Command::Select { .. }
            | Command::Examine { .. }
            | Command::Idle
            | Command::Close
            | Command::Unselect
            | Command::Store(_) => Self::Nothing,
            Command::Noop
            | Command::Notify(_)
            | Command::Check
            | Command::Expunge
            | Command::UidExpunge(_)
            | Command::Append(_)
            | Command::Replace(_)
            | Command::Copy { .. }
            | Command::Move { .. } => Self::Database,
            Command::Fetch(fetch) if fetch.items.iter().any(|item| item.sets_seen()) => {
                Self::Database
            }
            Command::Enable(_)
            | Command::Create { .. }
            | Command::Delete(_)
            | Command::Rename { .. }
            | Command::Subscribe(_)
            | Command::Unsubscribe(_)
            | Command::List(_)
            | Command::Lsub { .. }
            | Command::Xlist { .. }
            | Command::Acl(_)
            | Command::Metadata(_)
            | Command::Quota(_)
            | Command::Namespace
            | Command::Status { .. }
            | Command::GenUrlAuth(_)
            | Command::UrlFetch(_)
            | Command::ResetKey(_)
            | Command::Search(_)
            | Command::Esearch(_)
            | Command::Thread(_)
            | Command::CancelUpdate(_)
            | Command::Language(_)
            | Command::Comparator(_)
            | Command::Fetch(_) => Self::View,
        }
    }
}

impl Session {
    /// Runs a command that is allowed in this state.
    pub async fn execute(&mut self, tag: &str, command: Command, rule: Rule) -> Outcome {
        let after = After::of(&command);
        let (had_condstore, was_selected) = (self.enabled.condstore, self.opened.is_some());
        let is_expunge = matches!(rule.name, "EXPUNGE" | "UID EXPUNGE" | "MOVE" | "UID MOVE");
        let is_select = rule.name == "SELECT" || rule.name == "EXAMINE";
        self.refresh_rights().await?;
        let outcome = self.handle(tag, command).await;
        if !had_condstore
            && self.enabled.condstore
            && !is_select
            && was_selected
            && let Some(opened) = &self.opened
        {
            // RFC 7162 §3.1.2: told when CONDSTORE is enabled while a mailbox is selected
            let code = ResponseCode::HighestModSeq(opened.selected.mod_seq().max(1));
            self.untagged_ok(Some(&code), "Highest");
        }
        let look = match after {
            After::Nothing => return outcome,
            After::View => Look::View,
            After::Database => Look::Database,
        };
        // RFC 9051 §7.5.1: no EXPUNGE while sequence numbers are in use
        let expunges = if rule.breaks_seqnums { Expunges::Allowed } else { Expunges::Held };
        let told = self.sync(look, expunges).await;
        // what others are told of more mailboxes is no part of this command
        self.tell_others_if_rung().await.or_else(Failure::unless_fatal)?;
        let outcome = if is_expunge { self.with_highest_mod_seq(outcome) } else { outcome };
        match (outcome, told) {
            (Ok(reply), Err(failure)) if look == Look::View => {
                // the command has succeeded; what could not be looked up is told another time
                failure.unless_fatal().map(|()| reply)
            }
            (Ok(_), Err(failure)) => Err(failure),
            (outcome, _) => outcome,
        }
    }

    /// RFC 7162 §3.2.7: the tagged OK tells up to where the client has heard all.
    fn with_highest_mod_seq(&self, outcome: Outcome) -> Outcome {
        match (outcome, &self.opened) {
            (Ok(reply), Some(opened)) if self.enabled.qresync && reply.code.is_none() => {
                Ok(reply.with(ResponseCode::HighestModSeq(opened.selected.mod_seq().max(1))))
            }
            (outcome, _) => outcome,
        }
    }

    async fn handle(&mut self, tag: &str, command: Command) -> Outcome {
        self.refuse_beyond_traffic(&command)?;
        match command {
            Command::Capability => self.capability(),
            Command::Noop | Command::Check => Ok(Reply::ok("Done")),
            Command::Logout => Ok(self.logout()),
            Command::Id(client) => self.id(&client),
            Command::Starttls => self.starttls(),
            Command::Authenticate { mechanism, initial } => {
                self.authenticate(&mechanism, initial).await
            }
            Command::Login { user, password } => self.login(&user, &password).await,
            Command::Enable(names) => self.enable(&names),
            Command::Unauthenticate => self.unauthenticate(),
            Command::Notify(notify) => self.notify(&notify).await,
            Command::Compress(algorithm) => self.compress(&algorithm),
            Command::Select { mailbox, params } => self.select(&mailbox, false, &params).await,
            Command::Examine { mailbox, params } => self.select(&mailbox, true, &params).await,
            Command::Create { mailbox, special_use } => self.create(&mailbox, &special_use).await,
            Command::Delete(mailbox) => self.delete(&mailbox).await,
            Command::Rename { from, to } => self.rename(&from, &to).await,
            Command::Subscribe(mailbox) => self.subscribe(&mailbox, true).await,
            Command::Unsubscribe(mailbox) => self.subscribe(&mailbox, false).await,
            Command::List(list) => self.list(&list).await,
            Command::Lsub { reference, pattern } => self.lsub(&reference, &pattern).await,
            Command::Xlist { reference, pattern } => self.xlist(&reference, &pattern).await,
            Command::Acl(acl) => self.acl(acl).await,
            Command::Metadata(metadata) => self.metadata(metadata).await,
            Command::Quota(quota) => self.quota(quota).await,
            Command::Namespace => self.namespace(),
            Command::Status { mailbox, items } => self.status(&mailbox, &items).await,
            Command::Append(append) => self.append(append).await,
            Command::Replace(replace) => self.replace(*replace).await,
            Command::GenUrlAuth(asked) => self.gen_url_auth(&asked).await,
            Command::UrlFetch(urls) => self.url_fetch(&urls).await,
            Command::ResetKey(mailbox) => self.reset_key(mailbox.as_deref()).await,
            Command::Idle => self.idle().await,
            Command::Close => self.close(true).await,
            Command::Unselect => self.close(false).await,
            Command::Expunge => self.expunge(tag, None).await,
            Command::UidExpunge(set) => self.expunge(tag, Some(&set)).await,
            Command::Search(search) => self.search(tag, &search).await,
            Command::Esearch(search) => self.esearch(tag, &search).await,
            Command::Thread(thread) => self.thread(tag, &thread).await,
            Command::CancelUpdate(tags) => self.cancel_update(&tags),
            Command::Language(ranges) => self.language(&ranges),
            Command::Comparator(orders) => self.comparator(&orders),
            Command::Fetch(fetch) => self.fetch(&fetch).await,
            Command::Store(store) => self.store(tag, &store).await,
            Command::Copy { uid, set, mailbox } => self.copy(tag, uid, &set, &mailbox).await,
            Command::Move { uid, set, mailbox } => {
                self.move_messages(tag, uid, &set, &mailbox).await
            }
        }
    }

    fn logout(&mut self) -> Reply {
        self.is_over = true;
        self.writer().status(None, Condition::Bye, None, "Until next time");
        Reply::ok("Logged out")
    }
}
