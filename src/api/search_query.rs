//! What a search asks for: the grammar of `q`, and the single parameters (`reference/http-api.md`,
//! search).

use super::params::{Params, boolean_of, date_of, integer_of};
use super::uid_sets;
use crate::model::flag::Flag;
use crate::model::id::MailboxId;
use crate::model::mailbox::{Mailbox, MailboxName, SpecialUse};
use crate::model::search::{Query, SearchField};
use serde_json::{Map, Value};

/// Characters of `q`.
const Q_CHARS_MAX: usize = 1024;
/// Characters of `query` and the texts beside it.
const TEXT_CHARS_MAX: usize = 255;
/// Groups within groups.
const DEPTH_MAX: usize = 32;

/// A search as it was sent, before mailboxes are looked up.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Asked {
    /// `q`: alone if it is there.
    pub q: Option<String>,
    /// `query`, shown again in the answer.
    pub query: Option<String>,
    /// `searchable`
    searchable: bool,
    /// `useAndSearch`
    uses_and: bool,
    /// Everything else.
    parts: Vec<Query>,
}

impl Asked {
    /// Reads the parameters.
    pub fn read(params: &mut Params) -> Self {
        let q = params.text("q", Q_CHARS_MAX).optional();
        let query = params.text("query", TEXT_CHARS_MAX).optional();
        let and = params.boolean("useAndSearch").or(false);
        let searchable = params.boolean("searchable").or(false);
        let mut parts: Vec<Query> = Vec::new();
        let mailbox = params.id("mailbox").optional().map(Query::Mailbox);
        let uids = params.uid_set("id").optional().filter(|_| mailbox.is_some()).map(Query::Uids);
        parts.extend(mailbox);
        parts.extend(uids);
        parts.extend(params.id("thread").optional().map(Query::Thread));
        parts.extend(params.object("or").optional().map(|or| either(&or, and)));
        parts.extend(query.as_deref().map(|text| full_text(text, and)));
        parts.extend(params.date("datestart").optional().map(Query::After));
        parts.extend(params.date("dateend").optional().map(Query::Before));
        for (name, field) in [
            ("from", SearchField::From),
            ("to", SearchField::ToOrCc),
            ("subject", SearchField::Subject),
        ] {
            let text = params.text(name, TEXT_CHARS_MAX).optional();
            parts.extend(text.map(|text| Query::Field(field, text)));
        }
        parts.extend(params.count("minSize").optional().filter(|n| *n > 0).map(Query::Larger));
        parts.extend(params.count("maxSize").optional().filter(|n| *n > 0).map(Query::Smaller));
        let has = |set: bool, query| set.then_some(query);
        parts.extend(has(params.boolean("attachments").or(false), Query::HasAttachment));
        let flagged = Query::Flags(Flag::Flagged.bit());
        parts.extend(has(params.boolean("flagged").or(false), flagged));
        let (unseen, seen) = (params.boolean("unseen").or(false), params.boolean("seen").or(false));
        let is_seen = Query::Flags(Flag::Seen.bit());
        parts.extend(match (unseen, seen) {
            (true, _) => Some(is_seen.negated()),
            (false, true) => Some(is_seen),
            (false, false) => None,
        });
        Self { q, query, searchable, uses_and: and, parts }
    }

    /// The query, given the user's mailboxes.
    pub fn resolve(&self, mailboxes: &[Mailbox]) -> Query {
        let mut parts = match &self.q {
            Some(q) => vec![parse(q, mailboxes, self.uses_and)],
            None => self.parts.clone(),
        };
        if self.searchable {
            parts.push(searchable(mailboxes));
            parts.push(not_deleted());
        }
        Query::All(parts)
    }
}

fn not_deleted() -> Query {
    Query::Flags(Flag::Deleted.bit()).negated()
}

/// Not in Junk or Trash.
fn searchable(mailboxes: &[Mailbox]) -> Query {
    let is_hidden = |mailbox: &&Mailbox| {
        matches!(mailbox.special_use, Some(SpecialUse::Junk | SpecialUse::Trash))
    };
    let hidden = mailboxes.iter().filter(is_hidden).map(|mailbox| Query::Mailbox(mailbox.id));
    Query::Any(hidden.collect()).negated()
}

/// Any of the texts of `or`.
fn either(or: &Map<String, Value>, and: bool) -> Query {
    let text = |name: &str| or.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let field = |name, field| text(name).map(|text| Query::Field(field, text.to_owned()));
    let any: Vec<Query> = [
        text("query").map(|text| full_text(text, and)),
        field("from", SearchField::From),
        field("to", SearchField::ToOrCc),
        field("subject", SearchField::Subject),
    ]
    .into_iter()
    .flatten()
    .collect();
    if any.is_empty() { Query::All(Vec::new()) } else { Query::Any(any) }
}

/// Words and quoted phrases, any of them or all; never of messages with `\Deleted`.
fn full_text(text: &str, and: bool) -> Query {
    let mut words = Vec::new();
    for (index, piece) in text.split('"').enumerate() {
        if index % 2 == 1 && piece.split_whitespace().count() > 1 {
            words.push(Query::Phrase(piece.trim().to_owned()));
        } else {
            words.extend(piece.split_whitespace().map(|word| Query::Word(word.to_owned())));
        }
    }
    let words = if and { Query::All(words) } else { Query::Any(words) };
    Query::All(vec![not_deleted(), words])
}

/// A token of `q`.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Open,
    Close,
    Or,
    And,
    Minus,
    Term { key: Option<String>, value: String, is_quoted: bool },
}

/// Keys whose value may stand behind a space.
const SPACED: &[&str] = &["from", "to", "cc", "bcc", "subject", "in"];

/// Cuts `q` into tokens; a missing closing quote is tolerated.
fn tokens(q: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = q.trim_start();
    while let Some(first) = rest.chars().next() {
        let single = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '-' if !rest[1..].starts_with(char::is_whitespace) && rest.len() > 1 => {
                Some(Token::Minus)
            }
            _ => None,
        };
        if let Some(token) = single {
            tokens.push(token);
            rest = rest.get(1..).unwrap_or_default().trim_start();
            continue;
        }
        let (token, after) = term(rest);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// A word, a quoted text, or `key:` and one of these.
fn term(text: &str) -> (Token, &str) {
    let (key, text) = match text.split_once(':') {
        Some((key, value))
            if !key.is_empty()
                && key.bytes().all(|b| b.is_ascii_alphabetic())
                && !value.starts_with("//") =>
        {
            let key = key.to_ascii_lowercase();
            let is_spaced = SPACED.contains(&key.as_str());
            (Some(key), if is_spaced { value.trim_start() } else { value })
        }
        _ => (None, text),
    };
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
        let value = match key {
            Some(_) => value.split_whitespace().collect::<Vec<_>>().join(" "),
            // of a phrase white space counts
            None => value.to_owned(),
        };
        return (Token::Term { key, value, is_quoted: true }, rest);
    }
    let end = text.find(|c: char| c.is_whitespace() || c == '(' || c == ')').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let token = match (key, word) {
        (None, "OR") => Token::Or,
        (None, "AND") => Token::And,
        (key, word) => Token::Term { key, value: word.to_owned(), is_quoted: false },
    };
    (token, rest)
}

/// `q` as a query; nothing is found where it cannot be read.
///
/// Words that stand beside each other are any of them, as a full-text index has it, unless
/// `uses_and`; all other terms have to be met. A term without a meaning is left out.
fn parse(q: &str, mailboxes: &[Mailbox], uses_and: bool) -> Query {
    let tokens = tokens(q);
    let mut parser = Parser { tokens: &tokens, mailboxes, uses_and };
    match parser.any(0) {
        Some(query) if parser.tokens.is_empty() => query.unwrap_or(Query::NOTHING),
        _ => Query::NOTHING,
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    mailboxes: &'a [Mailbox],
    uses_and: bool,
}

/// A term or group; `None`: it has no meaning.
enum Part {
    Word(Query),
    Other(Option<Query>),
}

impl Part {
    fn query(self) -> Option<Query> {
        match self {
            Self::Word(word) => Some(word),
            Self::Other(query) => query,
        }
    }
}

impl<'a> Parser<'a> {
    fn take(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn skip(&mut self, token: &Token) -> bool {
        let is_next = self.tokens.first() == Some(token);
        if is_next {
            self.take();
        }
        is_next
    }

    /// `all *(OR all)`
    fn any(&mut self, depth: usize) -> Option<Option<Query>> {
        let mut branches = vec![self.all(depth)?];
        while self.skip(&Token::Or) {
            branches.push(self.all(depth)?);
        }
        let mut branches: Vec<Query> = branches.into_iter().flatten().collect();
        Some(match branches.pop() {
            Some(only) if branches.is_empty() => Some(only),
            Some(last) => Some(Query::Any(branches.into_iter().chain([last]).collect())),
            None => None,
        })
    }

    /// `one *([AND] one)`
    fn all(&mut self, depth: usize) -> Option<Option<Query>> {
        let (mut words, mut others) = (Vec::new(), Vec::new());
        let mut joins_all = self.uses_and;
        let mut add = |part: Part| match part {
            Part::Word(word) => words.push(word),
            Part::Other(other) => others.extend(other),
        };
        add(self.one(depth)?);
        loop {
            let is_and = self.skip(&Token::And);
            joins_all |= is_and;
            match self.tokens.first() {
                Some(Token::Open | Token::Minus | Token::Term { .. }) => add(self.one(depth)?),
                _ if is_and => return None,
                _ => break,
            }
        }
        if !joins_all && words.len() > 1 {
            others.push(Query::Any(words));
        } else {
            others.extend(words);
        }
        Some((!others.is_empty()).then_some(Query::All(others)))
    }

    /// `["-"] ( term / "(" any ")" )`
    fn one(&mut self, depth: usize) -> Option<Part> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.take()? {
            Token::Minus => {
                let inner = self.one(depth + 1)?.query();
                Some(Part::Other(inner.map(Query::negated)))
            }
            Token::Open => {
                let inner = self.any(depth + 1)?;
                self.skip(&Token::Close).then_some(Part::Other(inner))
            }
            Token::Term { key: Some(key), value, .. } => {
                Some(Part::Other(self.meaning(key, value)))
            }
            Token::Term { key: None, value, is_quoted } => Some(text(value, *is_quoted)),
            Token::Close | Token::Or | Token::And => None,
        }
    }

    /// What a key and its value ask for; `None`: nothing that is known.
    fn meaning(&self, key: &str, value: &str) -> Option<Query> {
        if value.is_empty() {
            return None;
        }
        let sent = Value::String(value.to_owned());
        let count = || integer_of(&sent).and_then(|n| u64::try_from(n).ok());
        let field = |field| Some(Query::Field(field, value.to_owned()));
        // false asks for nothing: `-seen:true` does
        let flag = |query: Query| (boolean_of(&sent) == Some(true)).then_some(query);
        let seen = Query::Flags(Flag::Seen.bit());
        match key {
            "from" => field(SearchField::From),
            "to" => field(SearchField::Recipients),
            "cc" => field(SearchField::Cc),
            "bcc" => field(SearchField::Bcc),
            "subject" => field(SearchField::Subject),
            "in" => Some(self.find_mailbox(value).map_or(Query::NOTHING, Query::Mailbox)),
            "mailbox" => value.parse().ok().map(Query::Mailbox),
            "thread" => value.parse().ok().map(Query::Thread),
            "id" => uid_sets::parse(value).map(Query::Uids),
            "after" | "newer" | "datestart" => date_of(&sent).map(Query::After),
            "before" | "older" | "dateend" => date_of(&sent).map(Query::Before),
            "minsize" => count().map(Query::Larger),
            "maxsize" => count().map(Query::Smaller),
            "attachments" => flag(Query::HasAttachment),
            "has" if matches!(value, "attachment" | "attachments") => Some(Query::HasAttachment),
            "flagged" => flag(Query::Flags(Flag::Flagged.bit())),
            "seen" => flag(seen),
            "unseen" => flag(seen.negated()),
            "is" => match value {
                "starred" | "flagged" => Some(Query::Flags(Flag::Flagged.bit())),
                "read" => Some(seen),
                "unread" => Some(seen.negated()),
                _ => None,
            },
            "searchable" => flag(searchable(self.mailboxes)),
            _ => None,
        }
    }

    /// A mailbox by id, `inbox`, path, or the word for its special use.
    fn find_mailbox(&self, text: &str) -> Option<MailboxId> {
        let text = text.strip_prefix('/').unwrap_or(text);
        let by = |matches: &dyn Fn(&Mailbox) -> bool| {
            self.mailboxes.iter().find(|mailbox| matches(mailbox)).map(|mailbox| mailbox.id)
        };
        if let Ok(id) = text.to_ascii_lowercase().parse::<MailboxId>() {
            return by(&|mailbox| mailbox.id == id);
        }
        if let Ok(name) = MailboxName::new(text)
            && let Some(found) = by(&|mailbox| mailbox.name == name)
        {
            return Some(found);
        }
        let special_use = match text.to_ascii_lowercase().as_str() {
            "spam" | "junk" => SpecialUse::Junk,
            "sent" => SpecialUse::Sent,
            "trash" | "deleted" => SpecialUse::Trash,
            "drafts" => SpecialUse::Drafts,
            "archive" => SpecialUse::Archive,
            _ => return None,
        };
        by(&|mailbox| mailbox.special_use == Some(special_use))
    }
}

/// A word, or a phrase of several.
fn text(text: &str, is_quoted: bool) -> Part {
    let with = |query| Query::All(vec![not_deleted(), query]);
    match is_quoted && text.trim().contains(' ') {
        true => Part::Other(Some(with(Query::Phrase(text.to_owned())))),
        false => Part::Word(with(Query::Word(text.trim().to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Query {
        Query::All(vec![not_deleted(), Query::Word(text.into())])
    }

    fn field(field: SearchField, text: &str) -> Query {
        Query::Field(field, text.into())
    }

    #[test]
    fn terms_are_anded_and_groups_ored() {
        let either = Query::Any(vec![word("a"), word("b")]);
        assert_eq!(parse("a b", &[], false), Query::All(vec![either]));
        assert_eq!(parse("a b", &[], true), Query::All(vec![word("a"), word("b")]));
        assert_eq!(parse("a AND b", &[], false), parse("a b", &[], true));
        let x = field(SearchField::From, "x");
        assert_eq!(parse("a from:x", &[], false), Query::All(vec![x, word("a")]));
        let or = Query::Any(vec![
            Query::All(vec![field(SearchField::From, "x y")]),
            Query::All(vec![field(SearchField::Subject, "z").negated()]),
        ]);
        assert_eq!(parse("from: \"x y\" OR -subject:z", &[], false), or);
        let group = Query::All(vec![
            Query::Any(vec![Query::All(vec![word("a")]), Query::All(vec![word("b")])]).negated(),
        ]);
        assert_eq!(parse("-(a OR b)", &[], false), group);
        let phrase = Query::All(vec![not_deleted(), Query::Phrase("two  words".into())]);
        assert_eq!(parse("\"two  words", &[], false), Query::All(vec![phrase]));
        let seen = Query::Flags(Flag::Seen.bit());
        assert_eq!(parse("is:unread", &[], false), Query::All(vec![seen.negated()]));
    }

    #[test]
    fn what_cannot_be_read_finds_nothing() {
        for q in ["", " ", "(", ")", "a)", "(a", "OR", "a OR", "AND a", "a AND"] {
            assert_eq!(parse(q, &[], false), Query::NOTHING, "{q}");
        }
        assert_eq!(parse(&"(".repeat(500), &[], false), Query::NOTHING);
        assert_eq!(parse(&"-".repeat(500), &[], false), Query::NOTHING);
        assert_eq!(parse("in:nowhere", &[], false), Query::All(vec![Query::NOTHING]));
        assert_eq!(parse("http://a.b/c", &[], false), Query::All(vec![word("http://a.b/c")]));
        for ignored in ["nokey:x", "has:x", "is:x", "seen:false", "minsize:x", "mailbox:x", "id:x"]
        {
            assert_eq!(parse(ignored, &[], false), Query::NOTHING, "{ignored}");
            let beside = parse(&format!("a {ignored}"), &[], false);
            assert_eq!(beside, parse("a", &[], false), "{ignored}");
        }
    }
}
