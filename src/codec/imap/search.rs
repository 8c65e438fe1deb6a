//! SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5032, RFC 7162 §3.1.5, RFC 8474, RFC 8514), SORT
//! (RFC 5256, RFC 5267 §3) and ESEARCH (RFC 7377).

use super::date_time::{Day, parse_date};
use super::error::ErrorKind;
use super::gmail_query;
use super::lexer::{Lexer, Parse};
use super::multisearch::{self, Source};
use super::search_return::{self, SearchReturn};
use super::sequence_set::{self, SequenceSet};
use super::sort::{self, Criterion, SortKey};
use crate::model::flag::Flag;
use crate::model::limits::IMAP_NESTING_MAX;
use crate::model::uid::Uid;
use encoding_rs::Encoding;

/// SEARCH, SORT, and their UID forms; ESEARCH.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// UID SEARCH, UID SORT, ESEARCH: answered with UIDs.
    pub uid: bool,
    /// Where: of ESEARCH, else the selected mailbox.
    pub sources: Option<Vec<Source>>,
    /// How the result is sorted: of SORT, else empty.
    pub order: Vec<Criterion>,
    /// `RETURN (...)`, if written.
    pub returns: Option<SearchReturn>,
    /// The key; several are an [`SearchKey::And`].
    pub key: SearchKey,
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
    /// `UIDAFTER`: a higher UID (RFC 9738 §3.4).
    UidAfter(Uid),
    /// `UIDBEFORE`: a lower UID.
    UidBefore(Uid),
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
    /// `FUZZY` (RFC 6203 §3)
    Fuzzy(Box<SearchKey>),
    /// `X-GM-MSGID`
    GmailMessageId(u64),
    /// `X-GM-THRID`
    GmailThreadId(u64),
    /// `X-GM-LABELS`: a label as Gmail's extension names it.
    GmailLabel(String),
    /// `has:attachment` of `X-GM-RAW`.
    HasAttachment,
}

impl SearchKey {
    /// Whether this key or one inside it is as asked for.
    pub fn has(&self, is_wanted: &impl Fn(&Self) -> bool) -> bool {
        is_wanted(self)
            || match self {
                Self::And(keys) | Self::Or(keys) => keys.iter().any(|key| key.has(is_wanted)),
                Self::Not(key) | Self::Fuzzy(key) => key.has(is_wanted),
                _ => false,
            }
    }

    /// Whether a key names sequence numbers.
    pub fn uses_sequence_numbers(&self) -> bool {
        self.has(&|key| matches!(key, Self::Sequence(set) if *set != SequenceSet::SavedResult))
    }

    /// Whether a key asks for ModSeqs, which makes the answer carry one (RFC 7162 §3.1.5).
    pub fn uses_mod_seq(&self) -> bool {
        self.has(&|key| matches!(key, Self::ModSeq(_)))
    }
}

/// `search = "SEARCH" [search-return-opts] SP search-program`, from behind the name.
pub(super) fn read(lexer: &mut Lexer<'_>, uid: bool) -> Parse<Search> {
    lexer.space()?;
    let returns = read_returns(lexer)?;
    let key = read_program(lexer)?;
    checked(Search { uid, sources: None, order: Vec::new(), returns, key })
}

/// `sort = "SORT" SP sort-criteria SP search-criteria`, and `extended-sort = "SORT"
/// search-return-opts SP sort-criteria SP search-criteria` (RFC 5267 §5), from behind the name.
pub(super) fn read_sort(lexer: &mut Lexer<'_>, uid: bool) -> Parse<Search> {
    lexer.space()?;
    let returns = read_returns(lexer)?;
    let order = sort::read_criteria(lexer)?;
    lexer.space()?;
    let charset = read_charset(lexer)?;
    // 2026: imaptest has the options of RFC 5267 here, and no key has that name
    let returns = if returns.is_none() { read_returns(lexer)? } else { returns };
    let key = KeyReader { lexer, charset }.read_program()?;
    checked(Search { uid, sources: None, order, returns, key })
}

/// `esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program`
/// (RFC 7377 §3), from behind the name.
pub(super) fn read_esearch(lexer: &mut Lexer<'_>) -> Parse<Search> {
    lexer.space()?;
    // RFC 7377 §2.2: without sources it is the selected mailbox
    let sources =
        if lexer.eat_word("IN") { multisearch::read(lexer)? } else { vec![Source::Selected] };
    let returns = read_returns(lexer)?;
    let key = read_program(lexer)?;
    checked(Search { uid: true, sources: Some(sources), order: Vec::new(), returns, key })
}

fn checked(search: Search) -> Parse<Search> {
    let wants_relevancy = search.returns.is_some_and(|returns| returns.relevancy)
        || search.order.iter().any(|criterion| criterion.key == SortKey::Relevancy);
    // RFC 6203 §4, §6: RELEVANCY only beside FUZZY
    if wants_relevancy && !search.key.has(&|key| matches!(key, SearchKey::Fuzzy(_))) {
        return Err(ErrorKind::Syntax("FUZZY, which RELEVANCY needs"));
    }
    Ok(search)
}

fn read_returns(lexer: &mut Lexer<'_>) -> Parse<Option<SearchReturn>> {
    if !lexer.eat_word("RETURN") {
        return Ok(None);
    }
    let returns = search_return::read(lexer)?;
    lexer.space()?;
    Ok(Some(returns))
}

/// `search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)`
fn read_program(lexer: &mut Lexer<'_>) -> Parse<SearchKey> {
    if lexer.eat_word("CHARSET") {
        return read_criteria(lexer);
    }
    // RFC 9051 §6.4.4: without CHARSET it is UTF-8, and US-ASCII in RFC 3501, which is the same to
    // us
    KeyReader { lexer, charset: encoding_rs::UTF_8 }.read_program()
}

/// `search-criteria = charset 1*(SP search-key)` (RFC 5256 §5)
pub(super) fn read_criteria(lexer: &mut Lexer<'_>) -> Parse<SearchKey> {
    let charset = read_charset(lexer)?;
    KeyReader { lexer, charset }.read_program()
}

fn read_charset(lexer: &mut Lexer<'_>) -> Parse<&'static Encoding> {
    let charset = charset_of(&lexer.astring()?)?;
    lexer.space()?;
    Ok(charset)
}

/// `"CANCELUPDATE" 1*(SP quoted)` (RFC 5267 §5), from behind the name.
pub(super) fn read_tags(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    let mut tags = Vec::new();
    while tags.is_empty() || !lexer.is_at_end() {
        lexer.space()?;
        tags.push(lexer.astring_text()?);
    }
    Ok(tags)
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
                    "FUZZY" => {
                        self.lexer.space()?;
                        Ok(SearchKey::Fuzzy(Box::new(self.read(depth + 1)?)))
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
            word if word.starts_with("X-GM-") => self.gmail_key(word)?,
            "UIDAFTER" => SearchKey::UidAfter(self.unique_id()?),
            "UIDBEFORE" => SearchKey::UidBefore(self.unique_id()?),
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

    /// The keys of X-GM-EXT-1: `X-GM-RAW`, `X-GM-MSGID`, `X-GM-THRID`, `X-GM-LABELS`.
    fn gmail_key(&mut self, word: &str) -> Parse<SearchKey> {
        match word {
            "X-GM-RAW" => Ok(gmail_query::parse(&self.text()?)),
            "X-GM-MSGID" | "X-GM-THRID" => {
                self.lexer.space()?;
                // ids are unsigned numbers of 64 bits
                let id = self.lexer.astring_text()?.parse().map_err(|_| ErrorKind::Number)?;
                let is_message = word == "X-GM-MSGID";
                Ok(if is_message {
                    SearchKey::GmailMessageId(id)
                } else {
                    SearchKey::GmailThreadId(id)
                })
            }
            "X-GM-LABELS" => {
                self.lexer.space()?;
                let labels = if self.lexer.peek() == Some(b'(') {
                    self.lexer.list(read_label)?
                } else {
                    vec![read_label(self.lexer)?]
                };
                Ok(SearchKey::And(labels.into_iter().map(SearchKey::GmailLabel).collect()))
            }
            _ => Err(ErrorKind::Syntax("a search key")),
        }
    }

    /// `uniqueid = nz-number`
    fn unique_id(&mut self) -> Parse<Uid> {
        self.lexer.space()?;
        self.lexer.nz_number()
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

/// A label: `\Inbox` and its kin, or any string.
fn read_label(lexer: &mut Lexer<'_>) -> Parse<String> {
    if lexer.eat(b'\\') {
        return Ok(format!("\\{}", lexer.atom("a label")?));
    }
    lexer.astring_text()
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
