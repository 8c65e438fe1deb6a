//! The document of one message in one mailbox, written and read as raw BSON: no serde, no map per
//! row.
//!
//! | field | type | what |
//! |---|---|---|
//! | `_id` | ObjectId | identifier |
//! | `user`, `mailbox`, `thread` | ObjectId | owner, mailbox, thread |
//! | `uid`, `mod_seq`, `octets` | i64 | UID, MODSEQ, RFC822.SIZE (prefix and content) |
//! | `idate`, `sdate` | Date | INTERNALDATE, SAVEDATE |
//! | `flags` | i32 | bits of `Flag::bit` |
//! | `unseen` | true | there exactly while `\Seen` is not set: the predicate of a partial index |
//! | `kw` | array of strings | keywords in the case of the mailbox's list, sorted; absent if none |
//! | `content` | binary(32) | hash of the content |
//! | `prefix` | binary | trace header in front of the content; absent if empty |
//! | `env`, `body`, `struct` | binary | ENVELOPE, BODY, BODYSTRUCTURE in IMAP wire form |
//! | `tree` | binary | MIME tree (`codec::mime::tree`) |
//! | `sum` | sub-document | what lists show (`record::summary`) |
//! | `meta` | string | JSON text of the API caller; absent if none |
//! | `info` | string | JSON text of `delivery::info`: where it came from and went to; absent if none |
//! | `exp` | Date | when it is removed, by retention or by the caller's wish; absent: never |
//! | `own_exp` | true | `exp`, or its absence, is the caller's wish: retention leaves it |
//! | `copied` | true | a copy was made: it is not archived when it is removed |

use crate::codec::mime::tree;
use crate::model::error::{Error, Result};
use crate::model::flag::{Flag, FlagSet};
use crate::model::id::{ContentHash, Id, MailboxId, MessageId, ThreadId, UserId};
use crate::model::message::{Message, Row};
use crate::model::structure::{Structure, Summary};
use crate::storage::field::{int, oid};
use crate::storage::record::summary::{read_summary, write_summary};
use bson::raw::{CStr, RawArrayBuf, RawBinaryRef, RawBsonRef, RawDocument, RawDocumentBuf, cstr};
use bson::spec::BinarySubtype;
use bson::{DateTime, Document};
use std::sync::Arc;

/// A message to insert. Keywords are in the case of the mailbox's list.
#[derive(Clone, Debug)]
pub struct NewRow {
    /// Identifier.
    pub id: MessageId,
    /// Owner.
    pub user: UserId,
    /// Mailbox.
    pub mailbox: MailboxId,
    /// UID, MODSEQ, flags, dates, octets.
    pub row: Row,
    /// Hash of the content.
    pub content: ContentHash,
    /// Thread.
    pub thread: ThreadId,
    /// Trace header, may be empty.
    pub prefix: bytes::Bytes,
    /// What was computed from the content.
    pub structure: Arc<Structure>,
    /// JSON text of the API caller.
    pub meta: Option<String>,
    /// JSON text of the store's notes.
    pub info: Option<String>,
    /// When it is removed.
    pub expires_ms: Option<i64>,
}

/// Which parts of the message document are read beside the row, the ids and the prefix.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Fields {
    /// `Message::envelope`
    pub envelope: bool,
    /// `Message::body`
    pub body: bool,
    /// `Message::bodystructure`
    pub bodystructure: bool,
    /// `Message::tree`
    pub tree: bool,
    /// `Message::summary`
    pub summary: bool,
    /// `Message::meta`, `Message::info` and `Message::expires_ms`
    pub meta: bool,
}

/// Names of the fields of a row alone.
const ROW_FIELDS: [&str; 7] = ["uid", "mod_seq", "flags", "kw", "idate", "sdate", "octets"];

fn included(names: &[&str]) -> Document {
    names.iter().map(|name| ((*name).to_owned(), bson::Bson::Int32(1))).collect()
}

/// The projection of the columns of a view.
pub(crate) fn row_projection() -> Document {
    let mut projection = included(&ROW_FIELDS);
    projection.insert("_id", 0);
    projection
}

/// The projection of a message with these fields.
pub(crate) fn projection(fields: Fields) -> Document {
    let mut projection = included(&ROW_FIELDS);
    for name in ["mailbox", "thread", "content", "prefix"] {
        projection.insert(name, 1);
    }
    let optional = [
        (fields.envelope, "env"),
        (fields.body, "body"),
        (fields.bodystructure, "struct"),
        (fields.tree, "tree"),
        (fields.summary, "sum"),
        (fields.meta, "meta"),
        (fields.meta, "info"),
        (fields.meta, "exp"),
    ];
    for (_, name) in optional.into_iter().filter(|(wanted, _)| *wanted) {
        projection.insert(name, 1);
    }
    projection
}

fn binary(octets: &[u8]) -> RawBinaryRef<'_> {
    RawBinaryRef { subtype: BinarySubtype::Generic, bytes: octets }
}

/// The document of a message.
pub(crate) fn write(new: &NewRow) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("_id"), oid(new.id));
    document.append(cstr!("user"), oid(new.user));
    document.append(cstr!("mailbox"), oid(new.mailbox));
    document.append(cstr!("uid"), i64::from(new.row.uid));
    document.append(cstr!("mod_seq"), int(new.row.mod_seq));
    document.append(cstr!("idate"), DateTime::from_millis(new.row.internal_date));
    document.append(cstr!("sdate"), DateTime::from_millis(new.row.saved_date));
    document.append(cstr!("octets"), int(new.row.octets));
    document.append(cstr!("flags"), i32::from(new.row.flags.system));
    if !new.row.flags.has(Flag::Seen) {
        document.append(cstr!("unseen"), true);
    }
    if !new.row.flags.keywords().is_empty() {
        let keywords: RawArrayBuf = new.row.flags.keywords().iter().map(String::as_str).collect();
        document.append(cstr!("kw"), keywords);
    }
    document.append(cstr!("thread"), oid(new.thread));
    document.append(cstr!("content"), binary(&new.content.0));
    append_octets(&mut document, cstr!("prefix"), &new.prefix);
    append_octets(&mut document, cstr!("env"), &new.structure.envelope);
    append_octets(&mut document, cstr!("body"), &new.structure.body);
    append_octets(&mut document, cstr!("struct"), &new.structure.bodystructure);
    append_octets(&mut document, cstr!("tree"), &tree::encode(&new.structure.root));
    document.append(cstr!("sum"), write_summary(&new.structure.summary));
    if let Some(meta) = &new.meta {
        document.append(cstr!("meta"), meta.as_str());
    }
    if let Some(info) = &new.info {
        document.append(cstr!("info"), info.as_str());
    }
    if let Some(expires_ms) = new.expires_ms {
        document.append(cstr!("exp"), DateTime::from_millis(expires_ms));
    }
    document
}

fn append_octets(document: &mut RawDocumentBuf, key: &CStr, octets: &[u8]) {
    if !octets.is_empty() {
        document.append(key, binary(octets));
    }
}

fn bad(what: &'static str) -> Error {
    Error::Internal { reason: what, source: None }
}

fn number(value: RawBsonRef<'_>) -> Result<u64> {
    let number = match value {
        RawBsonRef::Int64(number) => number,
        RawBsonRef::Int32(number) => i64::from(number),
        _ => return Err(bad("a message document holds no number where one belongs")),
    };
    u64::try_from(number).map_err(|_| bad("a message document holds a negative number"))
}

fn octets(value: RawBsonRef<'_>) -> Result<&[u8]> {
    value
        .as_binary()
        .map(|binary| binary.bytes)
        .ok_or_else(|| bad("a message document holds no octets where they belong"))
}

fn date(value: RawBsonRef<'_>) -> Result<i64> {
    value
        .as_datetime()
        .map(DateTime::timestamp_millis)
        .ok_or_else(|| bad("a message document holds no date where one belongs"))
}

fn id<K>(value: RawBsonRef<'_>) -> Result<Id<K>> {
    value
        .as_object_id()
        .map(|oid| Id::from_octets(oid.bytes()))
        .ok_or_else(|| bad("a message document holds no id where one belongs"))
}

fn strings(value: RawBsonRef<'_>) -> Result<Vec<String>> {
    let array = value.as_array().ok_or_else(|| bad("a message document holds no array"))?;
    let mut strings = Vec::new();
    for element in array {
        let element = element.map_err(|error| Error::internal("a broken message", error))?;
        strings.extend(element.as_str().map(str::to_owned));
    }
    Ok(strings)
}

/// A row of which nothing was read yet.
fn empty_row() -> Row {
    Row {
        uid: 0,
        mod_seq: 0,
        flags: FlagSet::default(),
        internal_date: 0,
        saved_date: 0,
        octets: 0,
    }
}

/// Reads the row of a document of any projection, copying nothing else.
pub(crate) fn read_row(document: &RawDocument) -> Result<Row> {
    let mut row = empty_row();
    for element in document {
        let (key, value) = element.map_err(|error| Error::internal("a broken message", error))?;
        read_row_field(&mut row, key.as_str(), value)?;
    }
    Ok(row)
}

/// Reads a document of any projection in one pass; what was not projected stays empty.
pub(crate) fn read(document: &RawDocument) -> Result<Message> {
    let mut message = Message {
        id: MessageId::from_octets([0; 12]),
        mailbox: MailboxId::from_octets([0; 12]),
        row: empty_row(),
        content: ContentHash([0; 32]),
        thread: ThreadId::from_octets([0; 12]),
        prefix: Vec::new(),
        envelope: Vec::new(),
        body: Vec::new(),
        bodystructure: Vec::new(),
        tree: Vec::new(),
        summary: Summary::default(),
        meta: None,
        info: None,
        expires_ms: None,
    };
    for element in document {
        let (key, value) = element.map_err(|error| Error::internal("a broken message", error))?;
        read_field(&mut message, key.as_str(), value)?;
    }
    Ok(message)
}

fn read_field(message: &mut Message, key: &str, value: RawBsonRef<'_>) -> Result<()> {
    match key {
        "_id" => message.id = id(value)?,
        "mailbox" => message.mailbox = id(value)?,
        "thread" => message.thread = id(value)?,
        "content" => {
            message.content = ContentHash(
                octets(value)?.try_into().map_err(|_| bad("a content hash has 32 octets"))?,
            );
        }
        "prefix" => message.prefix = octets(value)?.to_vec(),
        "env" => message.envelope = octets(value)?.to_vec(),
        "body" => message.body = octets(value)?.to_vec(),
        "struct" => message.bodystructure = octets(value)?.to_vec(),
        "tree" => message.tree = octets(value)?.to_vec(),
        "sum" => {
            message.summary =
                value.as_document().map(read_summary).transpose()?.unwrap_or_default();
        }
        "meta" => message.meta = value.as_str().map(str::to_owned),
        "info" => message.info = value.as_str().map(str::to_owned),
        "exp" => message.expires_ms = value.as_datetime().map(DateTime::timestamp_millis),
        _ => read_row_field(&mut message.row, key, value)?,
    }
    Ok(())
}

fn read_row_field(row: &mut Row, key: &str, value: RawBsonRef<'_>) -> Result<()> {
    match key {
        "uid" => {
            row.uid = u32::try_from(number(value)?).map_err(|_| bad("a UID above 32 bits"))?;
        }
        "mod_seq" => row.mod_seq = number(value)?,
        "octets" => row.octets = number(value)?,
        "flags" => row.flags.system = u8::try_from(number(value)? & 0xff).unwrap_or_default(),
        "kw" => row.flags = FlagSet::new(row.flags.system, strings(value)?),
        "idate" => row.internal_date = date(value)?,
        "sdate" => row.saved_date = date(value)?,
        _ => {}
    }
    Ok(())
}
