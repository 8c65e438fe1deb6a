//! Users and what is theirs, exported and imported: no messages.
//!
//! The format: three octets, then records of a length (32 bits, little endian) and so many octets
//! of MessagePack, an array of a type and a map: 1 is the header, 2 a document in BSON.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply, iso_date};
use crate::directory::dump::{Dumped, Export, Imported};
use crate::model::id::UserId;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::Value;
use utoipa::ToSchema;

/// What an export begins with.
const MAGIC: [u8; 3] = [0x09, 0x06, 0x82];
/// What its header says it is.
const KIND: &str = "wildduck_data_export";
/// Type of the header.
const HEADER: u8 = 1;
/// Type of a document.
const ENTRY: u8 = 2;

/// Which users are exported.
#[derive(Debug, ToSchema)]
pub struct ExportRequest {
    /// These; one id or a list.
    pub users: Option<Vec<String>>,
    /// Those with one of these tags; one or a list.
    pub tags: Option<Vec<String>>,
}

/// The first record.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    r#type: String,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    created: String,
}

/// A document.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    client: String,
    collection: String,
    entry: ByteBuf,
}

/// What an import did.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ImportResult {
    /// Documents read.
    pub entries: u64,
    /// Of them stored.
    pub imported: u64,
    /// Of them of no known kind.
    pub failed: u64,
    /// Of them there already.
    pub existing: u64,
}

/// An import that was read to its end.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportAnswer {
    /// What it did.
    pub result: ImportResult,
}

/// A record: its length and an array of type and data.
fn record(kind: u8, data: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let octets = rmp_serde::to_vec_named(&(kind, data)).map_err(std::io::Error::other)?;
    let length = u32::try_from(octets.len()).map_err(std::io::Error::other)?;
    Ok([length.to_le_bytes().as_slice(), &octets].concat())
}

fn entry_of(dumped: Dumped) -> Entry {
    Entry {
        client: dumped.client.to_owned(),
        collection: dumped.collection.to_owned(),
        entry: ByteBuf::from(dumped.entry),
    }
}

/// A list, or the single value that may stand for it.
fn list_of<T>(p: &mut Params, name: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
    let read = p.parsed(name, "must be a list of identifiers or tags", |value| {
        let texts = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        texts.iter().map(|text| parse(text.as_str()?)).collect()
    });
    read.or(Vec::new())
}

/// Export users
///
/// Users, their addresses, passwords of applications, contacts, autoreplies, filters and
/// mailboxes; no messages. Without a filter all users.
#[utoipa::path(
    post, path = "/data/export", tag = "Export", operation_id = "exportData",
    request_body = ExportRequest,
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream",
            body = Vec<u8>),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn export(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let users: Vec<UserId> = list_of(&mut p, "users", |text| text.parse().ok());
    let tag = |text: &str| (text.chars().count() <= 1024).then(|| text.to_owned());
    let tags = list_of(&mut p, "tags", tag);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Export, Grant::Create)?;
    let header = Header {
        r#type: KIND.to_owned(),
        users: users.iter().map(ToString::to_string).collect(),
        tags: tags.clone(),
        created: iso_date(ctx.clock.now_ms()),
    };
    let state = (Some(header), ctx.directory.export(users, tags));
    let pieces = stream::try_unfold(state, |(header, mut export)| async move {
        if let Some(header) = header {
            let first = [MAGIC.as_slice(), &record(HEADER, &header)?].concat();
            return Ok(Some((Bytes::from(first), (None, export))));
        }
        Ok::<_, std::io::Error>(page(&mut export).await?.map(|piece| (piece, (None, export))))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(Reply::raw(response))
}

async fn page(export: &mut Export) -> std::io::Result<Option<Bytes>> {
    let page = export.next_page().await.map_err(|error| {
        tracing::warn!(%error, "users could not be exported to their end");
        std::io::Error::other(error)
    })?;
    let mut octets = Vec::new();
    for dumped in page {
        octets.extend_from_slice(&record(ENTRY, &entry_of(dumped))?);
    }
    Ok((!octets.is_empty()).then(|| octets.into()))
}

fn broken(code: &str, text: &str) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, code, text)
}

/// The next record of a file; `None` at its end.
fn next_record<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Problem> {
    if rest.is_empty() {
        return Ok(None);
    }
    let short = || broken("INVALID_DATA", "The file ends within a record");
    let (length, after) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| short())?;
    let (record, after) = after.split_at_checked(length).ok_or_else(short)?;
    *rest = after;
    Ok(Some(record))
}

/// Import users
///
/// What an export wrote. What is there already stays as it is; users have no octets, mailboxes no
/// messages. The body is the file, `application/octet-stream`, at most 90 MiB.
#[utoipa::path(
    post, path = "/data/import", tag = "Export", operation_id = "importData",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "Read to its end", body = ImportAnswer),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 500, description = "`INVALID_DATA`, `INVALID_SEQUENCE`", body = ProblemView)
    )
)]
pub async fn import(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let body = p.take_body();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Export, Grant::Create)?;
    let content = body.map(|body| body.content).unwrap_or_default();
    let none = || broken("INVALID_DATA", "The file is no export");
    let mut rest = content.strip_prefix(MAGIC.as_slice()).ok_or_else(none)?;
    let first = next_record(&mut rest)?.ok_or_else(none)?;
    match rmp_serde::from_slice::<(u8, Header)>(first) {
        Ok((HEADER, header)) if header.r#type == KIND => {}
        Ok(_) | Err(_) => {
            return Err(broken("INVALID_SEQUENCE", "The file does not begin with a header"));
        }
    }
    let mut result = ImportResult::default();
    while let Some(record) = next_record(&mut rest)? {
        let (kind, entry) = rmp_serde::from_slice::<(u8, Entry)>(record)
            .map_err(|_| broken("INVALID_DATA", "A record is no document"))?;
        if kind != ENTRY {
            return Err(broken("INVALID_SEQUENCE", "A record is of another type"));
        }
        result.entries += 1;
        match ctx.directory.import(&entry.client, &entry.collection, &entry.entry).await? {
            Imported::Stored => result.imported += 1,
            Imported::Existing => result.existing += 1,
            Imported::Failed => result.failed += 1,
        }
    }
    Ok(Reply::json(&ImportAnswer { result }))
}
