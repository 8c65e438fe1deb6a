//! Telling the client what has changed in its mailbox.

use super::reply::{Failure, Outcome, Reply};
use super::rights::permitted_flags;
use super::selected::{Expunges, Updates};
use super::session::{Opened, Session};
use crate::codec::imap::response_code::ResponseCode;
use crate::mailstore::Mailstore;
use crate::mailstore::view::{View, ViewState};
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagMask, FlagSet};
use crate::model::rights::Rights;
use futures_util::FutureExt;
use std::sync::Arc;

/// Where changes are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// In the shared view as it is, unless the doorbell has rung.
    View,
    /// In the database: one round trip.
    Database,
}

impl Opened {
    /// The view, from the store if nobody has kept it.
    pub async fn view(&mut self, mailstore: &Mailstore) -> Result<Arc<View>> {
        if let Some(view) = self.view.upgrade() {
            return Ok(view);
        }
        let view = mailstore.view(self.owner, self.id).await?;
        self.view = Arc::downgrade(&view);
        Ok(view)
    }
}

impl Session {
    /// The selected mailbox and its view.
    pub async fn opened_view(&mut self) -> Outcome<(&mut Opened, Arc<View>)> {
        let opened = self.opened.as_mut().ok_or_else(|| Reply::bad("Select a mailbox first"))?;
        let view = opened.view(&self.context.mailstore).await?;
        Ok((opened, view))
    }

    /// Brings the client up to date. The output is bounded: it is flushed as it grows.
    pub async fn sync(&mut self, look: Look, expunges: Expunges) -> Outcome<()> {
        // Without `r` nothing more is told
        if !self.opened.as_ref().is_some_and(|opened| opened.rights.has(Rights::READ)) {
            return Ok(());
        }
        let (opened, view) = match self.opened_view().await {
            Err(Failure::Meaning(Error::NotFound { .. })) => return Err(gone()),
            other => other?,
        };
        let is_woken = opened.subscription.woken().now_or_never().is_some();
        let state = if is_woken || look == Look::Database {
            match view.refresh().await {
                Err(Error::NotFound { .. }) => return Err(gone()),
                other => other?,
            }
        } else {
            view.state()
        };
        let changed = |uids: &_, since| view.changed_since(uids, since);
        let updates = opened.selected.sync(&state, changed, expunges);
        drop(view);
        self.tell(&state, updates).await
    }

    async fn tell(&mut self, state: &ViewState, updates: Updates) -> Outcome<()> {
        for number in updates.expunged {
            self.writer().expunge(number);
            self.stream.flush_if_full().await?;
        }
        if let Some(exists) = updates.exists {
            self.writer().exists(u64::from(exists));
        }
        if updates.keywords {
            self.tell_flags(&state.keywords);
        }
        let with_mod_seq = self.enabled.condstore;
        for (number, row) in updates.changed {
            let mut writer = self.writer();
            writer.raw(b"* ").number(u64::from(number)).raw(b" FETCH (UID ");
            writer.number(u64::from(row.uid)).raw(b" FLAGS ").flag_list(&row.flags);
            if with_mod_seq {
                writer.raw(b" MODSEQ (").number(row.mod_seq).raw(b")");
            }
            writer.raw(b")").end_line();
            self.stream.flush_if_full().await?;
        }
        Ok(())
    }

    /// FLAGS and PERMANENTFLAGS (RFC 9051 §7.3.5, §7.1).
    pub fn tell_flags(&mut self, keywords: &[String]) {
        let system = Flag::ALL.iter().map(|flag| flag.name());
        let names: Vec<&str> = system.chain(keywords.iter().map(String::as_str)).collect();
        let permitted = match &self.opened {
            Some(opened) if !opened.read_only => permitted_flags(opened.rights),
            _ => FlagMask::NONE,
        };
        self.writer().flags(names.iter().copied());
        let permanent = permitted.of(&FlagSet::from_names(names));
        let mut permanent: Vec<String> = permanent.names().map(str::to_owned).collect();
        if permitted.keywords {
            permanent.push("\\*".into());
        }
        self.untagged_ok(Some(&ResponseCode::PermanentFlags(permanent)), "Flags permitted");
    }
}

/// RFC 2180 §3.3: the mailbox was deleted under the session.
fn gone() -> Failure {
    Failure::Bye("The selected mailbox was deleted")
}
