//! The table of commands: in which states each is allowed, and what it has to do with sequence
//! numbers.

use super::command::Command;

/// Sets of the states of RFC 9051 §3, without logout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct States(u8);

impl States {
    /// Not authenticated.
    pub const NOT_AUTHENTICATED: Self = Self(1);
    /// Authenticated, nothing selected.
    pub const AUTHENTICATED: Self = Self(2);
    /// A mailbox is selected.
    pub const SELECTED: Self = Self(4);
    /// Any of them.
    pub const ANY: Self = Self(7);
    /// Authenticated, with or without a selected mailbox.
    pub const LOGGED_IN: Self = Self(6);

    /// Whether the state is one of these.
    pub const fn contains(self, state: Self) -> bool {
        self.0 & state.0 == state.0
    }
}

/// What is known of a command beforehand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The name for logs and metrics: `UID FETCH`.
    pub name: &'static str,
    /// Where it is allowed.
    pub states: States,
    /// Its arguments or answers are sequence numbers: it must not start while a command runs that
    /// may change
    /// them (RFC 9051 §5.5).
    pub uses_seqnums: bool,
    /// EXPUNGE may be sent while it runs (RFC 9051 §7.5.1), so sequence numbers may change.
    pub breaks_seqnums: bool,
}

const SELECTED: States = States::SELECTED;

const fn rule(name: &'static str, states: States) -> Rule {
    Rule { name, states, uses_seqnums: false, breaks_seqnums: true }
}

/// RFC 9051 §7.5.1: EXPUNGE is never sent during FETCH, STORE and SEARCH; their UID forms and all
/// others allow it.
const fn numbered(name: &'static str, breaks_seqnums: bool) -> Rule {
    Rule { name, states: States::SELECTED, uses_seqnums: true, breaks_seqnums }
}

impl Command {
    /// The command's row of the table.
    pub fn rule(&self) -> Rule {
        match self {
            Self::Capability => rule("CAPABILITY", States::ANY),
            Self::Noop => rule("NOOP", States::ANY),
            Self::Logout => rule("LOGOUT", States::ANY),
            Self::Id(_) => rule("ID", States::ANY),
            Self::Starttls => rule("STARTTLS", States::NOT_AUTHENTICATED),
            Self::Authenticate { .. } => rule("AUTHENTICATE", States::NOT_AUTHENTICATED),
            Self::Login { .. } => rule("LOGIN", States::NOT_AUTHENTICATED),
            // RFC 5161 §3.1 allows ENABLE only before a SELECT; clients send it later too, which
            // harms nobody
            Self::Enable(_) => rule("ENABLE", States::LOGGED_IN),
            Self::Notify(_) => rule("NOTIFY", States::LOGGED_IN),
            // RFC 4978 §3 allows it before login too: a stranger gets no such memory
            Self::Compress(_) => rule("COMPRESS", States::LOGGED_IN),
            Self::Unauthenticate => rule("UNAUTHENTICATE", States::LOGGED_IN),
            Self::Select { .. } => rule("SELECT", States::LOGGED_IN),
            Self::Examine { .. } => rule("EXAMINE", States::LOGGED_IN),
            Self::Create { .. } => rule("CREATE", States::LOGGED_IN),
            Self::Delete(_) => rule("DELETE", States::LOGGED_IN),
            Self::Rename { .. } => rule("RENAME", States::LOGGED_IN),
            Self::Subscribe(_) => rule("SUBSCRIBE", States::LOGGED_IN),
            Self::Unsubscribe(_) => rule("UNSUBSCRIBE", States::LOGGED_IN),
            Self::List(_) => rule("LIST", States::LOGGED_IN),
            Self::Lsub { .. } => rule("LSUB", States::LOGGED_IN),
            Self::Xlist { .. } => rule("XLIST", States::LOGGED_IN),
            Self::Acl(acl) => rule(acl.name(), States::LOGGED_IN),
            Self::Metadata(metadata) => rule(metadata.name(), States::LOGGED_IN),
            Self::Quota(quota) => rule(quota.name(), States::LOGGED_IN),
            Self::Namespace => rule("NAMESPACE", States::LOGGED_IN),
            Self::Status { .. } => rule("STATUS", States::LOGGED_IN),
            Self::Append(_) => rule("APPEND", States::LOGGED_IN),
            Self::GenUrlAuth(_) => rule("GENURLAUTH", States::LOGGED_IN),
            Self::UrlFetch(_) => rule("URLFETCH", States::LOGGED_IN),
            Self::ResetKey(_) => rule("RESETKEY", States::LOGGED_IN),
            Self::Idle => rule("IDLE", States::LOGGED_IN),
            Self::Close => rule("CLOSE", States::SELECTED),
            Self::Unselect => rule("UNSELECT", States::SELECTED),
            Self::Check => rule("CHECK", States::SELECTED),
            Self::Expunge => rule("EXPUNGE", States::SELECTED),
            Self::UidExpunge(_) => rule("UID EXPUNGE", States::SELECTED),
            Self::Search(search) if search.uid => Rule {
                uses_seqnums: search.key.uses_sequence_numbers(),
                ..rule(if search.order.is_empty() { "UID SEARCH" } else { "UID SORT" }, SELECTED)
            },
            Self::Thread(thread) if thread.uid => Rule {
                uses_seqnums: thread.key.uses_sequence_numbers(),
                ..rule("UID THREAD", SELECTED)
            },
            Self::Esearch(_) => rule("ESEARCH", States::LOGGED_IN),
            Self::CancelUpdate(_) => rule("CANCELUPDATE", SELECTED),
            // RFC 5255 §3.2: in all states; §4.7: when authenticated
            Self::Language(_) => rule("LANGUAGE", States::ANY),
            Self::Comparator(_) => rule("COMPARATOR", States::LOGGED_IN),
            Self::Fetch(fetch) if fetch.uid => rule("UID FETCH", States::SELECTED),
            Self::Store(store) if store.uid => rule("UID STORE", States::SELECTED),
            Self::Copy { uid: true, .. } => rule("UID COPY", States::SELECTED),
            Self::Move { uid: true, .. } => rule("UID MOVE", States::SELECTED),
            Self::Replace(replace) if replace.uid => rule("UID REPLACE", States::SELECTED),
            Self::Replace(_) => numbered("REPLACE", true),
            Self::Search(search) if search.order.is_empty() => numbered("SEARCH", false),
            // RFC 5256 §5: as SEARCH, no EXPUNGE while sequence numbers are told
            Self::Search(_) => numbered("SORT", false),
            Self::Thread(_) => numbered("THREAD", false),
            Self::Fetch(_) => numbered("FETCH", false),
            Self::Store(_) => numbered("STORE", false),
            Self::Copy { .. } => numbered("COPY", true),
            Self::Move { .. } => numbered("MOVE", true),
        }
    }
}
