//! LIST with its extensions (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154).

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::metadata;
use super::status::{self, StatusItem};

/// LIST as asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    /// The reference name, decoded.
    pub reference: String,
    /// The patterns, decoded; at least one unless written as `()`.
    pub patterns: Vec<String>,
    /// Any part of the extended syntax was used (RFC 5258 §3).
    pub extended: bool,
    /// Selection options.
    pub selection: ListSelection,
    /// Return options.
    pub returns: ListReturn,
}

/// Which names are listed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ListSelection {
    /// `SUBSCRIBED`
    pub subscribed: bool,
    /// `REMOTE`
    pub remote: bool,
    /// `RECURSIVEMATCH`
    pub recursive_match: bool,
    /// `SPECIAL-USE`
    pub special_use: bool,
}

/// What is told about them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ListReturn {
    /// `SUBSCRIBED`
    pub subscribed: bool,
    /// `CHILDREN`
    pub children: bool,
    /// `SPECIAL-USE`
    pub special_use: bool,
    /// `STATUS (...)`; empty: not asked for.
    pub status: Vec<StatusItem>,
    /// `MYRIGHTS` (RFC 8440)
    pub my_rights: bool,
    /// `METADATA (...)` (RFC 9590): entries; empty: not asked for.
    pub metadata: Vec<String>,
}

/// `list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]`, from
/// behind the name,
/// where `mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")"`
pub(super) fn read(lexer: &mut Lexer<'_>) -> Parse<List> {
    lexer.space()?;
    let mut extended = false;
    let mut selection = ListSelection::default();
    if lexer.peek() == Some(b'(') {
        extended = true;
        selection = read_selection(lexer)?;
        lexer.space()?;
    }
    let reference = lexer.mailbox()?;
    lexer.space()?;
    let patterns = if lexer.peek() == Some(b'(') {
        extended = true;
        lexer.list(Lexer::list_mailbox)?
    } else {
        vec![lexer.list_mailbox()?]
    };
    let mut returns = ListReturn::default();
    if !lexer.is_at_end() {
        extended = true;
        lexer.space()?;
        if !lexer.eat_word("RETURN") {
            return Err(ErrorKind::Syntax("RETURN"));
        }
        returns = read_returns(lexer)?;
    }
    Ok(List { reference, patterns, extended, selection, returns })
}

/// `list-select-opts = "(" [(*(list-select-opt SP) list-select-base-opt *(SP list-select-opt)) /
/// ...] ")"`
fn read_selection(lexer: &mut Lexer<'_>) -> Parse<ListSelection> {
    let mut selection = ListSelection::default();
    lexer.list(|lexer| {
        match lexer.word("a selection option")?.as_str() {
            "SUBSCRIBED" => selection.subscribed = true,
            "REMOTE" => selection.remote = true,
            "RECURSIVEMATCH" => selection.recursive_match = true,
            "SPECIAL-USE" => selection.special_use = true,
            _ => return Err(ErrorKind::Syntax("a selection option")),
        }
        Ok(())
    })?;
    // RFC 5258 §3.1: it needs an option that selects, REMOTE is none
    if selection.recursive_match && !selection.subscribed && !selection.special_use {
        return Err(ErrorKind::Syntax("a selection option beside RECURSIVEMATCH"));
    }
    Ok(selection)
}

/// `list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"`
fn read_returns(lexer: &mut Lexer<'_>) -> Parse<ListReturn> {
    let mut returns = ListReturn::default();
    lexer.list(|lexer| {
        match lexer.word("a return option")?.as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" => returns.children = true,
            "SPECIAL-USE" => returns.special_use = true,
            "STATUS" => {
                lexer.space()?;
                returns.status = status::read_items(lexer)?;
            }
            "MYRIGHTS" => returns.my_rights = true,
            "METADATA" => {
                lexer.space()?;
                returns.metadata = metadata::read_entries(lexer)?;
            }
            _ => return Err(ErrorKind::Syntax("a return option")),
        }
        Ok(())
    })?;
    Ok(returns)
}
