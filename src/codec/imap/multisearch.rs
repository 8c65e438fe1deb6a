//! Where ESEARCH searches (RFC 7377 §2.2): the sources of `IN (...)`.

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};

/// Some mailboxes of RFC 5465 §6 `filter-mailboxes`, with `subtree-one` of RFC 7377.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// `selected`, `selected-delayed`
    Selected,
    /// `inboxes`: mailboxes that messages are delivered to.
    Inboxes,
    /// `personal`: all of the user's own.
    Personal,
    /// `subscribed`
    Subscribed,
    /// `mailboxes`: just these.
    Mailboxes(Vec<String>),
    /// `subtree`: these and all below.
    Subtree(Vec<String>),
    /// `subtree-one`: these and those directly below.
    SubtreeOne(Vec<String>),
}

/// `esearch-source-opts = "IN" SP "(" source-mbox [SP "(" scope-options ")"] ")"`, where
/// `source-mbox = filter-mailboxes *(SP filter-mailboxes)`, from behind `IN`.
///
/// No scope option is defined; an unknown one is refused, as RFC 7377 §3 asks.
pub(super) fn read(lexer: &mut Lexer<'_>) -> Parse<Vec<Source>> {
    let sources = lexer.list(|lexer| {
        let word = lexer.word("a source of mailboxes")?;
        Ok(match word.as_str() {
            "SELECTED" | "SELECTED-DELAYED" => Source::Selected,
            "INBOXES" => Source::Inboxes,
            "PERSONAL" => Source::Personal,
            "SUBSCRIBED" => Source::Subscribed,
            "MAILBOXES" => Source::Mailboxes(read_mailboxes(lexer)?),
            "SUBTREE" => Source::Subtree(read_mailboxes(lexer)?),
            "SUBTREE-ONE" => Source::SubtreeOne(read_mailboxes(lexer)?),
            _ => return Err(ErrorKind::Syntax("a source of mailboxes")),
        })
    })?;
    if sources.is_empty() {
        return Err(ErrorKind::Syntax("a source of mailboxes"));
    }
    lexer.space()?;
    Ok(sources)
}

/// `one-or-more-mailbox = mailbox / many-mailboxes`, where
/// `many-mailboxes = "(" mailbox *(SP mailbox) ")"` (RFC 5465 §8), behind a space
fn read_mailboxes(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    lexer.space()?;
    if lexer.peek() != Some(b'(') {
        return Ok(vec![lexer.mailbox()?]);
    }
    let names = lexer.list(Lexer::mailbox)?;
    if names.is_empty() { Err(ErrorKind::Syntax("a mailbox")) } else { Ok(names) }
}
