//! SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5032, RFC 7162 §3.1.5, RFC 8474, RFC 8514).

use super::date_time::{Day, parse_date};
use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::sequence_set::{self, SequenceSet};
use crate::model::flag::Flag;
use crate::model::limits::IMAP_NESTING_MAX;
use encoding_rs::Encoding;

/// SEARCH or UID SEARCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// UID SEARCH: answered with UIDs.
    pub uid: bool,
    /// `RETURN (...)`, if written.
    pub returns: Option<SearchReturn>,
    /// The key; several are an [`SearchKey::And`].
    pub key: SearchKey,
}

/// Result options; `RETURN ()` is ALL.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SearchReturn {
    /// `MIN`
    pub min: bool,
    /// `MAX`
    pub max: bool,
    /// `ALL`
    pub all: bool,
    /// `COUNT`
    pub count: bool,
    /// `SAVE` (RFC 5182)
    pub save: bool,
}

/// What a message must be. Strings are decoded from the charset of the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SearchKey {
    /// `ALL`
    All,
    /// Keys side by side.
    And(Vec<SearchKey>),
    /// `OR`: any of these; chains of OR are one.
    Or(Vec<SearchKey>),
    /// `NOT`
    Not(Box<SearchKey>),
    /// A set of sequence numbers.
    Sequence(SequenceSet),
    /// `UID`
    Uid(SequenceSet),
    /// `SEEN`, `UNSEEN`, …: the flag is set or not.
    Flag(Flag, bool),
    /// `KEYWORD`, `UNKEYWORD`: the keyword is set or not.
    Keyword(String, bool),
    /// `RECENT` (RFC 3501)
    Recent,
    /// `NEW` (RFC 3501)
    New,
    /// `OLD` (RFC 3501)
    Old,
    /// `BEFORE`: INTERNALDATE's day is earlier.
    Before(Day),
    /// `ON`
    On(Day),
    /// `SINCE`
    Since(Day),
    /// `SENTBEFORE`
    SentBefore(Day),
    /// `SENTON`
    SentOn(Day),
    /// `SENTSINCE`
    SentSince(Day),
    /// `SAVEDBEFORE`
    SavedBefore(Day),
    /// `SAVEDON`
    SavedOn(Day),
    /// `SAVEDSINCE`
    SavedSince(Day),
    /// `SAVEDATESUPPORTED`
    SaveDateSupported,
    /// `YOUNGER`: seconds (RFC 5032).
    Younger(u32),
    /// `OLDER`: seconds (RFC 5032).
    Older(u32),
    /// `LARGER`
    Larger(u64),
    /// `SMALLER`
    Smaller(u64),
    /// `BCC`, `CC`, `FROM`, `SUBJECT`, `TO`, `HEADER`: a header field that contains the text; the
    /// empty text asks
    /// only for the field. The name is as written, or in lowercase for the short keys.
    Header {
        /// Field name.
        name: String,
        /// Contained text.
        text: String,
    },
    /// `BODY`
    Body(String),
    /// `TEXT`: header or body.
    Text(String),
    /// `MODSEQ`: at least (RFC 7162 §3.1.5); the entry name is read and not used.
    ModSeq(u64),
    /// `EMAILID`
    EmailId(String),
    /// `THREADID`
    ThreadId(String),
}

impl SearchKey {
    /// Whether a key names sequence numbers.
    pub fn uses_sequence_numbers(&self) -> bool {
        match self {
            Self::Sequence(set) => *set != SequenceSet::SavedResult,
            Self::And(keys) | Self::Or(keys) => keys.iter().any(Self::uses_sequence_numbers),
            Self::Not(key) => key.uses_sequence_numbers(),
            _ => false,
        }
    }

    /// Whether a key asks for ModSeqs, which makes the answer carry one (RFC 7162 §3.1.5).
    pub fn uses_mod_seq(&self) -> bool {
        match self {
            Self::ModSeq(_) => true,
            Self::And(keys) | Self::Or(keys) => keys.iter().any(Self::uses_mod_seq),
            Self::Not(key) => key.uses_mod_seq(),
            _ => false,
        }
    }
}

/// `search = "SEARCH" [search-return-opts] SP search-program`, where
/// `search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)`, from behind the name.
pub(super) fn read(lexer: &mut Lexer<'_>, uid: bool) -> Parse<Search> {
    lexer.space()?;
    let returns = if lexer.eat_word("RETURN") {
        let returns = read_returns(lexer)?;
        lexer.space()?;
        Some(returns)
    } else {
        None
    };
    let charset = if lexer.eat_word("CHARSET") {
        let charset = charset_of(&lexer.astring()?)?;
        lexer.space()?;
        charset
    } else {
        // RFC 9051 §6.4.4: without CHARSET it is UTF-8, and US-ASCII in RFC 3501, which is the same
        // to us
        encoding_rs::UTF_8
    };
    let mut keys = KeyReader { lexer, charset };
    let key = keys.read_program()?;
    Ok(Search { uid, returns, key })
}

/// `search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"`
fn read_returns(lexer: &mut Lexer<'_>) -> Parse<SearchReturn> {
    let mut returns = SearchReturn::default();
    lexer.list(|lexer| {
        match lexer.word("a result option")?.as_str() {
            "MIN" => returns.min = true,
            "MAX" => returns.max = true,
            "ALL" => returns.all = true,
            "COUNT" => returns.count = true,
            "SAVE" => returns.save = true,
            _ => return Err(ErrorKind::Syntax("a result option")),
        }
        Ok(())
    })?;
    // RFC 4731 §3.1: an empty list asks for ALL
    if returns == SearchReturn::default() {
        returns.all = true;
    }
    Ok(returns)
}

/// `charset = atom / quoted`
fn charset_of(name: &[u8]) -> Parse<&'static Encoding> {
    // the label means windows-1252 to the web; here it is the ASCII part of UTF-8
    if name.eq_ignore_ascii_case(b"US-ASCII") || name.eq_ignore_ascii_case(b"ASCII") {
        return Ok(encoding_rs::UTF_8);
    }
    Encoding::for_label_no_replacement(name).ok_or(ErrorKind::Charset)
}

struct KeyReader<'l, 's> {
    lexer: &'l mut Lexer<'s>,
    charset: &'static Encoding,
}

impl KeyReader<'_, '_> {
    fn read_program(&mut self) -> Parse<SearchKey> {
        let mut keys = vec![self.read(0)?];
        while !self.lexer.is_at_end() {
            self.lexer.space()?;
            keys.push(self.read(0)?);
        }
        Ok(joined(keys))
    }

    /// `search-key`, bounded in depth.
    fn read(&mut self, depth: usize) -> Parse<SearchKey> {
        if depth >= IMAP_NESTING_MAX {
            return Err(ErrorKind::TooDeep);
        }
        match self.lexer.peek() {
            // "(" search-key *(SP search-key) ")"
            Some(b'(') => {
                let charset = self.charset;
                let keys = self.lexer.list(|lexer| KeyReader { lexer, charset }.read(depth + 1))?;
                if keys.is_empty() {
                    return Err(ErrorKind::Syntax("a search key"));
                }
                Ok(joined(keys))
            }
            Some(b'0'..=b'9' | b'*' | b'$') => {
                Ok(SearchKey::Sequence(sequence_set::read(self.lexer)?))
            }
            _ => {
                let word = self.lexer.word("a search key")?;
                match word.as_str() {
                    "NOT" => {
                        self.lexer.space()?;
                        Ok(SearchKey::Not(Box::new(self.read(depth + 1)?)))
                    }
                    "OR" => self.read_or(depth),
                    word => match simple_key(word) {
                        Some(key) => Ok(key),
                        None => self.read_with_argument(word),
                    },
                }
            }
        }
    }

    /// `"OR" SP search-key SP search-key`. Clients write long chains `OR a OR b OR c d`: they are
    /// read without
    /// going deeper.
    fn read_or(&mut self, depth: usize) -> Parse<SearchKey> {
        let mut keys = Vec::new();
        self.lexer.space()?;
        loop {
            self.push_alternative(&mut keys, depth)?;
            self.lexer.space()?;
            if !self.lexer.eat_word("OR") {
                self.push_alternative(&mut keys, depth)?;
                return Ok(SearchKey::Or(keys));
            }
        }
    }

    fn push_alternative(&mut self, keys: &mut Vec<SearchKey>, depth: usize) -> Parse<()> {
        match self.read(depth + 1)? {
            SearchKey::Or(inner) => keys.extend(inner),
            key => keys.push(key),
        }
        Ok(())
    }

    fn read_with_argument(&mut self, word: &str) -> Parse<SearchKey> {
        let key = match word {
            "BCC" | "CC" | "FROM" | "SUBJECT" | "TO" => {
                SearchKey::Header { name: word.to_ascii_lowercase(), text: self.text()? }
            }
            "HEADER" => {
                self.lexer.space()?;
                let name = self.lexer.astring_text()?;
                SearchKey::Header { name, text: self.text()? }
            }
            "BODY" => SearchKey::Body(self.text()?),
            "TEXT" => SearchKey::Text(self.text()?),
            "KEYWORD" => SearchKey::Keyword(self.keyword()?, true),
            "UNKEYWORD" => SearchKey::Keyword(self.keyword()?, false),
            "BEFORE" => SearchKey::Before(self.day()?),
            "ON" => SearchKey::On(self.day()?),
            "SINCE" => SearchKey::Since(self.day()?),
            "SENTBEFORE" => SearchKey::SentBefore(self.day()?),
            "SENTON" => SearchKey::SentOn(self.day()?),
            "SENTSINCE" => SearchKey::SentSince(self.day()?),
            "SAVEDBEFORE" => SearchKey::SavedBefore(self.day()?),
            "SAVEDON" => SearchKey::SavedOn(self.day()?),
            "SAVEDSINCE" => SearchKey::SavedSince(self.day()?),
            "LARGER" | "SMALLER" | "YOUNGER" | "OLDER" => self.number_key(word)?,
            "EMAILID" | "THREADID" => self.object_id(word)?,
            "MODSEQ" => self.mod_seq()?,
            "UID" => {
                self.lexer.space()?;
                SearchKey::Uid(sequence_set::read(self.lexer)?)
            }
            _ => return Err(ErrorKind::Syntax("a search key")),
        };
        Ok(key)
    }

    /// `SP astring` in the charset of the command.
    fn text(&mut self) -> Parse<String> {
        self.lexer.space()?;
        let octets = self.lexer.astring()?;
        self.charset
            .decode_without_bom_handling_and_without_replacement(&octets)
            .map(std::borrow::Cow::into_owned)
            .ok_or(ErrorKind::Text)
    }

    /// `SP flag-keyword`; quoted by some clients.
    fn keyword(&mut self) -> Parse<String> {
        self.lexer.space()?;
        self.lexer.astring_text()
    }

    /// `SP date`, where `date = date-text / DQUOTE date-text DQUOTE`
    fn day(&mut self) -> Parse<Day> {
        self.lexer.space()?;
        parse_date(&self.lexer.astring_text()?)
    }

    /// `"LARGER" SP number64`, `"SMALLER" SP number64`, `"OLDER" SP nz-number`, `"YOUNGER" SP
    /// nz-number`
    fn number_key(&mut self, word: &str) -> Parse<SearchKey> {
        self.lexer.space()?;
        Ok(match word {
            "LARGER" => SearchKey::Larger(self.lexer.number64()?),
            "SMALLER" => SearchKey::Smaller(self.lexer.number64()?),
            "OLDER" => SearchKey::Older(self.lexer.nz_number()?),
            _ => SearchKey::Younger(self.lexer.nz_number()?),
        })
    }

    /// `"EMAILID" SP objectid`, `"THREADID" SP objectid` (RFC 8474 §5.3)
    fn object_id(&mut self, word: &str) -> Parse<SearchKey> {
        self.lexer.space()?;
        let id = self.lexer.astring_text()?;
        Ok(if word == "EMAILID" { SearchKey::EmailId(id) } else { SearchKey::ThreadId(id) })
    }

    /// `search-modsequence = "MODSEQ" [search-modseq-ext] SP mod-sequence-valzer`, where
    /// `search-modseq-ext = SP entry-name SP entry-type-req` (RFC 7162 §7)
    fn mod_seq(&mut self) -> Parse<SearchKey> {
        self.lexer.space()?;
        if self.lexer.peek() == Some(b'"') {
            self.lexer.string()?;
            self.lexer.space()?;
            if !matches!(self.lexer.word("an entry type")?.as_str(), "PRIV" | "SHARED" | "ALL") {
                return Err(ErrorKind::Syntax("an entry type"));
            }
            self.lexer.space()?;
        }
        Ok(SearchKey::ModSeq(self.lexer.number64()?))
    }
}

fn joined(mut keys: Vec<SearchKey>) -> SearchKey {
    match (keys.len(), keys.pop()) {
        (1, Some(key)) => key,
        (_, Some(last)) => {
            keys.push(last);
            SearchKey::And(keys)
        }
        (_, None) => SearchKey::All,
    }
}

/// Keys without an argument.
fn simple_key(word: &str) -> Option<SearchKey> {
    Some(match word {
        "ALL" => SearchKey::All,
        "ANSWERED" => SearchKey::Flag(Flag::Answered, true),
        "DELETED" => SearchKey::Flag(Flag::Deleted, true),
        "DRAFT" => SearchKey::Flag(Flag::Draft, true),
        "FLAGGED" => SearchKey::Flag(Flag::Flagged, true),
        "SEEN" => SearchKey::Flag(Flag::Seen, true),
        "UNANSWERED" => SearchKey::Flag(Flag::Answered, false),
        "UNDELETED" => SearchKey::Flag(Flag::Deleted, false),
        "UNDRAFT" => SearchKey::Flag(Flag::Draft, false),
        "UNFLAGGED" => SearchKey::Flag(Flag::Flagged, false),
        "UNSEEN" => SearchKey::Flag(Flag::Seen, false),
        "RECENT" => SearchKey::Recent,
        "NEW" => SearchKey::New,
        "OLD" => SearchKey::Old,
        "SAVEDATESUPPORTED" => SearchKey::SaveDateSupported,
        _ => return None,
    })
}
