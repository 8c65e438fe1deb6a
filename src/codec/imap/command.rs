//! Commands (RFC 9051 §6) and the reading of them.

use super::acl::{self, Acl};
use super::append::{self, Append, Replace};
use super::error::{ErrorKind, ParseError};
use super::fetch::{self, Fetch};
use super::i18n;
use super::lexer::{Lexer, Parse};
use super::list::{self, List};
use super::metadata::{self, Metadata};
use super::notify::{self, Notify};
use super::quota::{self, Quota};
use super::search::{self, Search};
use super::select::{self, SelectParams};
use super::sequence_set::{self, SequenceSet};
use super::status::{self, StatusItem};
use super::store::{self, Store};
use super::thread::{self, Thread};
use super::urlauth::{self, UrlAsked};
use base64::Engine as _;
use bytes::Bytes;

/// A command with its tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tagged {
    /// The tag, to be given back.
    pub tag: String,
    /// The command.
    pub command: Command,
}

/// A command. Mailbox names and patterns are decoded to Unicode, not checked otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// ID (RFC 2971): what the client tells of itself; empty for NIL.
    Id(Vec<(String, Option<String>)>),
    /// STARTTLS
    Starttls,
    /// AUTHENTICATE
    Authenticate {
        /// The mechanism, uppercase.
        mechanism: String,
        /// The initial response, decoded (RFC 4959); `=` is an empty one.
        initial: Option<Vec<u8>>,
    },
    /// LOGIN
    Login {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// ENABLE: names, uppercase.
    Enable(Vec<String>),
    /// UNAUTHENTICATE (RFC 8437)
    Unauthenticate,
    /// NOTIFY (RFC 5465)
    Notify(Notify),
    /// COMPRESS (RFC 4978): the algorithm, uppercase.
    Compress(String),
    /// SELECT
    Select {
        /// The mailbox.
        mailbox: String,
        /// What stands in parentheses.
        params: SelectParams,
    },
    /// EXAMINE
    Examine {
        /// The mailbox.
        mailbox: String,
        /// What stands in parentheses.
        params: SelectParams,
    },
    /// CREATE
    Create {
        /// The name; a final delimiter is kept.
        mailbox: String,
        /// `(USE (...))`, as written (RFC 6154 §3).
        special_use: Vec<String>,
    },
    /// DELETE
    Delete(String),
    /// RENAME
    Rename {
        /// The name before.
        from: String,
        /// The name after.
        to: String,
    },
    /// SUBSCRIBE
    Subscribe(String),
    /// UNSUBSCRIBE
    Unsubscribe(String),
    /// LIST
    List(List),
    /// LSUB (RFC 3501 §6.3.9)
    Lsub {
        /// The reference name.
        reference: String,
        /// The pattern.
        pattern: String,
    },
    /// NAMESPACE
    Namespace,
    /// STATUS
    Status {
        /// The mailbox.
        mailbox: String,
        /// At least one.
        items: Vec<StatusItem>,
    },
    /// SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314)
    Acl(Acl),
    /// GETMETADATA, SETMETADATA (RFC 5464)
    Metadata(Metadata),
    /// GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208)
    Quota(Quota),
    /// XLIST: LIST for clients that know the special uses of Gmail only
    Xlist {
        /// The reference name.
        reference: String,
        /// The pattern.
        pattern: String,
    },
    /// APPEND
    Append(Append),
    /// REPLACE, UID REPLACE (RFC 8508)
    Replace(Box<Replace>),
    /// GENURLAUTH (RFC 4467 §6.1): URLs to be authorised, each with its mechanism in uppercase.
    GenUrlAuth(Vec<(String, String)>),
    /// URLFETCH (RFC 4467 §6.2): the URLs.
    UrlFetch(Vec<UrlAsked>),
    /// RESETKEY (RFC 4467 §6.1): the mailbox, or all.
    ResetKey(Option<String>),
    /// IDLE: the door reads `DONE` with [`super::framing::Framer::next_line`].
    Idle,
    /// CLOSE
    Close,
    /// UNSELECT
    Unselect,
    /// CHECK (RFC 3501 §6.4.1)
    Check,
    /// EXPUNGE
    Expunge,
    /// UID EXPUNGE
    UidExpunge(SequenceSet),
    /// SEARCH, SORT, and their UID forms
    Search(Search),
    /// ESEARCH (RFC 7377)
    Esearch(Search),
    /// THREAD, UID THREAD
    Thread(Thread),
    /// CANCELUPDATE (RFC 5267 §4.3.5): tags of searching commands.
    CancelUpdate(Vec<String>),
    /// LANGUAGE (RFC 5255 §3.2): language ranges; none asks which there are.
    Language(Vec<String>),
    /// COMPARATOR (RFC 5255 §4.7): collations; none asks which is active.
    Comparator(Vec<String>),
    /// FETCH, UID FETCH
    Fetch(Fetch),
    /// STORE, UID STORE
    Store(Store),
    /// COPY, UID COPY
    Copy {
        /// UID COPY.
        uid: bool,
        /// Which messages.
        set: SequenceSet,
        /// Where to.
        mailbox: String,
    },
    /// MOVE, UID MOVE
    Move {
        /// UID MOVE.
        uid: bool,
        /// Which messages.
        set: SequenceSet,
        /// Where to.
        mailbox: String,
    },
}

/// Reads a command as [`super::framing::Framer`] gave it. Names with 8-bit octets are UTF-8;
/// `utf8`: all names are
/// (UTF8=ACCEPT or IMAP4rev2 is enabled), otherwise ASCII ones are modified UTF-7 (RFC 6855 §3).
///
/// # Errors
/// Anything the grammar does not allow, with the tag if there is one.
pub fn parse(octets: &Bytes, utf8: bool) -> Result<Tagged, ParseError> {
    let mut lexer = Lexer::new(octets, utf8);
    if lexer.is_at_end() {
        return Err(ParseError { tag: None, kind: ErrorKind::Empty, position: 0 });
    }
    let mut tag = None;
    match read(&mut lexer, &mut tag) {
        Ok((tag, command)) => Ok(Tagged { tag, command }),
        Err(kind) => Err(ParseError { tag, kind, position: lexer.position() }),
    }
}

/// `command = tag SP (command-any / command-auth / command-nonauth / command-select)`; the CRLF is
/// cut off.
/// The tag is left in `seen` for errors behind it.
fn read(lexer: &mut Lexer<'_>, seen: &mut Option<String>) -> Parse<(String, Command)> {
    let tag = lexer.tag()?;
    *seen = Some(tag.clone());
    lexer.space()?;
    let name = lexer.word("a command")?;
    let command = read_command(lexer, &name)?;
    lexer.end()?;
    Ok((tag, command))
}

fn read_command(lexer: &mut Lexer<'_>, name: &str) -> Parse<Command> {
    Ok(match name {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "LOGOUT" => Command::Logout,
        "STARTTLS" => Command::Starttls,
        "UNAUTHENTICATE" => Command::Unauthenticate,
        "NAMESPACE" => Command::Namespace,
        "IDLE" => Command::Idle,
        "CLOSE" => Command::Close,
        "UNSELECT" => Command::Unselect,
        "CHECK" => Command::Check,
        "EXPUNGE" => Command::Expunge,
        "LIST" => Command::List(list::read(lexer)?),
        "APPEND" => Command::Append(append::read(lexer)?),
        "REPLACE" => Command::Replace(Box::new(append::read_replace(lexer, false)?)),
        "GENURLAUTH" => Command::GenUrlAuth(urlauth::read_gen(lexer)?),
        "URLFETCH" => Command::UrlFetch(urlauth::read_fetch(lexer)?),
        "RESETKEY" => Command::ResetKey(urlauth::read_reset(lexer)?),
        "SEARCH" => Command::Search(search::read(lexer, false)?),
        "SORT" => Command::Search(search::read_sort(lexer, false)?),
        "ESEARCH" => Command::Esearch(search::read_esearch(lexer)?),
        "THREAD" => Command::Thread(thread::read(lexer, false)?),
        "CANCELUPDATE" => Command::CancelUpdate(search::read_tags(lexer)?),
        "LANGUAGE" => Command::Language(i18n::read_names(lexer)?),
        "COMPARATOR" => Command::Comparator(i18n::read_names(lexer)?),
        "FETCH" => Command::Fetch(fetch::read(lexer, false)?),
        "STORE" => Command::Store(store::read(lexer, false)?),
        "UID" => {
            lexer.space()?;
            read_uid(lexer)?
        }
        "SETACL" | "DELETEACL" | "GETACL" | "LISTRIGHTS" | "MYRIGHTS" => {
            Command::Acl(acl::read(lexer, name)?)
        }
        "GETMETADATA" => Command::Metadata(metadata::read_get(lexer)?),
        "SETMETADATA" => Command::Metadata(metadata::read_set(lexer)?),
        "GETQUOTA" | "GETQUOTAROOT" | "SETQUOTA" => Command::Quota(quota::read(lexer, name)?),
        name => {
            if !WITH_ARGUMENTS.contains(&name) {
                return Err(ErrorKind::UnknownCommand);
            }
            lexer.space()?;
            read_arguments(lexer, name)?
        }
    })
}

/// Commands that [`read_arguments`] reads.
const WITH_ARGUMENTS: [&str; 18] = [
    "NOTIFY",
    "COMPRESS",
    "ID",
    "AUTHENTICATE",
    "LOGIN",
    "ENABLE",
    "SELECT",
    "EXAMINE",
    "CREATE",
    "DELETE",
    "RENAME",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "LSUB",
    "XLIST",
    "STATUS",
    "COPY",
    "MOVE",
];

/// The smaller commands, from behind the space that follows the name.
fn read_arguments(lexer: &mut Lexer<'_>, name: &str) -> Parse<Command> {
    Ok(match name {
        "ID" => Command::Id(read_id(lexer)?),
        "AUTHENTICATE" => read_authenticate(lexer)?,
        // login = "LOGIN" SP userid SP password
        "LOGIN" => {
            let user = lexer.astring_text()?;
            lexer.space()?;
            Command::Login { user, password: lexer.astring_text()? }
        }
        // enable = "ENABLE" 1*(SP capability)
        "ENABLE" => {
            let mut names = vec![lexer.word("a capability")?];
            while !lexer.is_at_end() {
                lexer.space()?;
                names.push(lexer.word("a capability")?);
            }
            Command::Enable(names)
        }
        "SELECT" => {
            let mailbox = lexer.mailbox()?;
            Command::Select { mailbox, params: select::read_params(lexer)? }
        }
        "EXAMINE" => {
            let mailbox = lexer.mailbox()?;
            Command::Examine { mailbox, params: select::read_params(lexer)? }
        }
        "CREATE" => {
            let mailbox = lexer.mailbox()?;
            Command::Create { mailbox, special_use: read_create_use(lexer)? }
        }
        "DELETE" => Command::Delete(lexer.mailbox()?),
        // rename = "RENAME" SP mailbox SP mailbox
        "RENAME" => {
            let from = lexer.mailbox()?;
            lexer.space()?;
            Command::Rename { from, to: lexer.mailbox()? }
        }
        "NOTIFY" => Command::Notify(notify::read(lexer)?),
        "COMPRESS" => Command::Compress(lexer.word("an algorithm")?),
        "SUBSCRIBE" => Command::Subscribe(lexer.mailbox()?),
        "UNSUBSCRIBE" => Command::Unsubscribe(lexer.mailbox()?),
        // lsub = "LSUB" SP mailbox SP list-mailbox
        "LSUB" => {
            let reference = lexer.mailbox()?;
            lexer.space()?;
            Command::Lsub { reference, pattern: lexer.list_mailbox()? }
        }
        "XLIST" => {
            let reference = lexer.mailbox()?;
            lexer.space()?;
            Command::Xlist { reference, pattern: lexer.list_mailbox()? }
        }
        // status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
        "STATUS" => {
            let mailbox = lexer.mailbox()?;
            lexer.space()?;
            Command::Status { mailbox, items: status::read_items(lexer)? }
        }
        "COPY" => {
            let (set, mailbox) = read_set_and_mailbox(lexer)?;
            Command::Copy { uid: false, set, mailbox }
        }
        _ => {
            let (set, mailbox) = read_set_and_mailbox(lexer)?;
            Command::Move { uid: false, set, mailbox }
        }
    })
}

/// `uid = "UID" SP (copy / move / fetch / search / sort / store / thread / uid-expunge)`, from
/// behind the space.
fn read_uid(lexer: &mut Lexer<'_>) -> Parse<Command> {
    Ok(match lexer.word("a command after UID")?.as_str() {
        "FETCH" => Command::Fetch(fetch::read(lexer, true)?),
        "STORE" => Command::Store(store::read(lexer, true)?),
        "REPLACE" => Command::Replace(Box::new(append::read_replace(lexer, true)?)),
        "SEARCH" => Command::Search(search::read(lexer, true)?),
        "SORT" => Command::Search(search::read_sort(lexer, true)?),
        "THREAD" => Command::Thread(thread::read(lexer, true)?),
        "COPY" => {
            lexer.space()?;
            let (set, mailbox) = read_set_and_mailbox(lexer)?;
            Command::Copy { uid: true, set, mailbox }
        }
        "MOVE" => {
            lexer.space()?;
            let (set, mailbox) = read_set_and_mailbox(lexer)?;
            Command::Move { uid: true, set, mailbox }
        }
        "EXPUNGE" => {
            lexer.space()?;
            Command::UidExpunge(sequence_set::read(lexer)?)
        }
        _ => return Err(ErrorKind::UnknownCommand),
    })
}

/// `copy = "COPY" SP sequence-set SP mailbox`, and `move` alike, from behind the first space.
fn read_set_and_mailbox(lexer: &mut Lexer<'_>) -> Parse<(SequenceSet, String)> {
    let set = sequence_set::read(lexer)?;
    lexer.space()?;
    Ok((set, lexer.mailbox()?))
}

/// `id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil` (RFC 2971 §4)
fn read_id(lexer: &mut Lexer<'_>) -> Parse<Vec<(String, Option<String>)>> {
    if lexer.eat_text("NIL") {
        return Ok(Vec::new());
    }
    lexer.list(|lexer| {
        let name = lexer.astring_text()?;
        lexer.space()?;
        Ok((name, lexer.nstring_text()?))
    })
}

/// `authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]`, where `initial-resp = base64 /
/// "="`
fn read_authenticate(lexer: &mut Lexer<'_>) -> Parse<Command> {
    let mechanism = lexer.word("a mechanism")?;
    let mut initial = None;
    if !lexer.is_at_end() {
        lexer.space()?;
        let text = lexer.atom("an initial response")?;
        // RFC 4959 §3: "=" is the empty response
        let text = if text == "=" { "" } else { text.as_str() };
        let octets = base64::engine::general_purpose::STANDARD.decode(text);
        initial = Some(octets.map_err(|_| ErrorKind::Syntax("base64"))?);
    }
    Ok(Command::Authenticate { mechanism, initial })
}

/// `create-param = SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"` (RFC 6154 §6)
fn read_create_use(lexer: &mut Lexer<'_>) -> Parse<Vec<String>> {
    if lexer.is_at_end() {
        return Ok(Vec::new());
    }
    lexer.space()?;
    let params = lexer.list(|lexer| {
        if !lexer.eat_word("USE") {
            return Err(ErrorKind::Syntax("USE"));
        }
        lexer.list(|lexer| {
            lexer.expect(b'\\', "a special-use attribute")?;
            Ok(format!("\\{}", lexer.atom("a special-use attribute")?))
        })
    })?;
    Ok(params.into_iter().flatten().collect())
}
