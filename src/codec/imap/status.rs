//! STATUS items (RFC 9051 §6.3.11).

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};

/// What STATUS can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusItem {
    /// `MESSAGES`
    Messages,
    /// `RECENT` (RFC 3501 only)
    Recent,
    /// `UIDNEXT`
    UidNext,
    /// `UIDVALIDITY`
    UidValidity,
    /// `UNSEEN`
    Unseen,
    /// `DELETED`
    Deleted,
    /// `SIZE`
    Size,
    /// `HIGHESTMODSEQ` (RFC 7162)
    HighestModSeq,
    /// `APPENDLIMIT` (RFC 7889)
    AppendLimit,
    /// `MAILBOXID` (RFC 8474)
    MailboxId,
    /// `DELETED-STORAGE` (RFC 9208 §4.1.4)
    DeletedStorage,
}

impl StatusItem {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Messages,
        Self::Recent,
        Self::UidNext,
        Self::UidValidity,
        Self::Unseen,
        Self::Deleted,
        Self::Size,
        Self::HighestModSeq,
        Self::AppendLimit,
        Self::MailboxId,
        Self::DeletedStorage,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Messages => "MESSAGES",
            Self::Recent => "RECENT",
            Self::UidNext => "UIDNEXT",
            Self::UidValidity => "UIDVALIDITY",
            Self::Unseen => "UNSEEN",
            Self::Deleted => "DELETED",
            Self::Size => "SIZE",
            Self::HighestModSeq => "HIGHESTMODSEQ",
            Self::AppendLimit => "APPENDLIMIT",
            Self::MailboxId => "MAILBOXID",
            Self::DeletedStorage => "DELETED-STORAGE",
        }
    }
}

impl StatusItem {
    /// `status-att = "MESSAGES" / "UIDNEXT" / "UIDVALIDITY" / "UNSEEN" / "DELETED" / "SIZE"` and
    /// those of
    /// extensions.
    pub(super) fn read(lexer: &mut Lexer<'_>) -> Parse<Self> {
        const EXPECTED: &str = "a STATUS item";
        let word = lexer.word(EXPECTED)?;
        let item = Self::ALL.into_iter().find(|item| item.name() == word);
        item.ok_or(ErrorKind::Syntax(EXPECTED))
    }
}

/// `"(" status-att *(SP status-att) ")"`, without duplicates.
pub(super) fn read_items(lexer: &mut Lexer<'_>) -> Parse<Vec<StatusItem>> {
    let mut items = Vec::new();
    for item in lexer.list(StatusItem::read)? {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    if items.is_empty() { Err(ErrorKind::Syntax("a STATUS item")) } else { Ok(items) }
}
