//! STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3) and flag lists.

use super::error::ErrorKind;
use super::gmail;
use super::lexer::{Lexer, Parse};
use super::sequence_set::{self, SequenceSet};
use crate::model::flag::{Flag, FlagChange, FlagSet};

/// STORE or UID STORE.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Store {
    /// UID STORE: the set holds UIDs.
    pub uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// `UNCHANGEDSINCE` (RFC 7162 §3.1.3).
    pub unchanged_since: Option<u64>,
    /// What to do with which flags.
    pub change: FlagChange,
    /// `.SILENT`
    pub silent: bool,
    /// `X-GM-LABELS` instead of `FLAGS`: only labels are replaced, and labels are answered.
    pub is_labels: bool,
}

/// `flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword /
/// flag-extension`.
///
/// `None` for `\Recent`, which clients copy from elsewhere and cannot set (RFC 3501 §2.3.2).
pub(super) fn read_flag(lexer: &mut Lexer<'_>) -> Parse<Option<String>> {
    if !lexer.eat(b'\\') {
        return lexer.atom("a flag").map(Some);
    }
    let name = format!("\\{}", lexer.atom("a flag")?);
    if name.eq_ignore_ascii_case("\\Recent") {
        return Ok(None);
    }
    // RFC 9051 §9 flag-extension: a server must not accept what it does not know as system flag
    Flag::from_name(&name).map(|flag| Some(flag.name().to_owned())).ok_or(ErrorKind::Flag)
}

/// `store = "STORE" SP sequence-set [store-modifiers] SP store-att-flags`, from behind the name,
/// where
/// `store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))`, or
/// Gmail's `["+" / "-"] "X-GM-LABELS" [".SILENT"] SP label-list`
pub(super) fn read(lexer: &mut Lexer<'_>, uid: bool) -> Parse<Store> {
    lexer.space()?;
    let set = sequence_set::read(lexer)?;
    lexer.space()?;
    let mut unchanged_since = None;
    if lexer.peek() == Some(b'(') {
        unchanged_since = Some(read_unchanged_since(lexer)?);
        lexer.space()?;
    }
    let name = lexer.word("FLAGS, +FLAGS or -FLAGS")?;
    lexer.space()?;
    let (name, silent) =
        name.strip_suffix(".SILENT").map_or((name.as_str(), false), |name| (name, true));
    let is_labels = name.trim_start_matches(['+', '-']) == "X-GM-LABELS";
    let names = if is_labels { read_labels(lexer)? } else { read_flags(lexer)? };
    let flags = FlagSet::from_names(names.iter().map(String::as_str));
    let change = match name {
        "FLAGS" | "X-GM-LABELS" => FlagChange::Replace(flags),
        "+FLAGS" | "+X-GM-LABELS" => FlagChange::Add(flags),
        "-FLAGS" | "-X-GM-LABELS" => FlagChange::Remove(flags),
        _ => return Err(ErrorKind::Syntax("FLAGS, +FLAGS or -FLAGS")),
    };
    Ok(Store { uid, set, unchanged_since, change, silent, is_labels })
}

/// `"(" [label *(SP label)] ")" / label`
fn read_labels(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    match lexer.peek() {
        Some(b'(') => lexer.list(gmail::read_label),
        _ => Ok(vec![gmail::read_label(lexer)?]),
    }
}

/// `flag-list / (flag *(SP flag))`
fn read_flags(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    if lexer.peek() == Some(b'(') {
        return Ok(lexer.list(read_flag)?.into_iter().flatten().collect());
    }
    let mut names = Vec::from_iter(read_flag(lexer)?);
    while !lexer.is_at_end() {
        lexer.space()?;
        names.extend(read_flag(lexer)?);
    }
    Ok(names)
}

/// `store-modifiers = SP "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"` (RFC 7162 §7)
fn read_unchanged_since(lexer: &mut Lexer<'_>) -> Parse<u64> {
    let mut numbers = lexer.list(|lexer| {
        if !lexer.eat_word("UNCHANGEDSINCE") {
            return Err(ErrorKind::Syntax("UNCHANGEDSINCE"));
        }
        lexer.number64()
    })?;
    numbers.pop().ok_or(ErrorKind::Syntax("UNCHANGEDSINCE"))
}
