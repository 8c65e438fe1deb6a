//! Files to be attached to messages later (`reference/http-api.md`, Storage).

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::page::{PageView, Position, foreign_cursor};
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView};
use super::reply::{Answer, Created, Reply, Success, iso_date};
use super::upload_fields::decode_base64;
use crate::codec::mime::build::NewAttachment;
use crate::mailstore::file::{File, FilePlace, NewFile, pieces_of};
use crate::model::error::Error;
use crate::model::id::{ObjectId, UserId};
use crate::model::limits::MESSAGE_OCTETS_MAX;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io;
use utoipa::ToSchema;

/// Characters of names and types.
const NAME_CHARS_MAX: usize = 255;

/// Media types of file names, as far as people attach them; everything else is octets.
const TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("eml", "message/rfc822"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("webp", "image/webp"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

fn type_of(filename: &str) -> &'static str {
    let extension = filename.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let known = TYPES.iter().find(|known| Some(known.0) == extension.as_deref());
    known.map_or("application/octet-stream", |known| known.1)
}

fn extension_of(content_type: &str) -> &'static str {
    let known = TYPES.iter().find(|known| known.1.eq_ignore_ascii_case(content_type));
    known.map_or("bin", |known| known.0)
}

/// A file to store.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the body; `Params` reads it")]
pub struct UploadFileRequest {
    /// Its name; default `upload-DATE.ext`.
    filename: Option<String>,
    /// Its media type; default by its name.
    content_type: Option<String>,
    /// `base64` if `content` is.
    encoding: Option<String>,
    /// Its octets.
    content: String,
    /// Content-ID, for pictures in HTML.
    cid: Option<String>,
}

/// The octets: the body itself, a file of a form, or text.
fn content(params: &mut Params) -> Option<(Bytes, Option<String>, Option<String>)> {
    let is_base64 = params.choice("encoding", &["base64"]).optional().is_some();
    // Such a body is not read, as if it were empty (§0.1)
    if let Some(body) =
        params.take_body().filter(|body| body.content_type != "application/octet-stream")
    {
        return Some((body.content, body.filename, Some(body.content_type)));
    }
    if let Some(file) = params.take_file("content") {
        let content_type = Some(file.content_type).filter(|content_type| !content_type.is_empty());
        return Some((file.content, file.filename, content_type));
    }
    let text = params.text("content", usize::MAX).optional();
    let Some(text) = text else {
        params.fail("content", "\"content\" is required");
        return None;
    };
    if !is_base64 {
        return Some((Bytes::from(text), None, None));
    }
    let octets = decode_base64(&text);
    if octets.is_none() {
        params.fail("content", "\"content\" is not base64");
    }
    octets.map(|octets| (octets.into(), None, None))
}

/// Upload a file
///
/// To attach it to messages later. As JSON, as a form with a file `content`, or as the body itself.
#[utoipa::path(
    post, path = "/users/{user}/storage", tag = "Storage", operation_id = "uploadFile",
    params(("user" = String, Path, description = "User id, or `me`")),
    request_body(content(
        (UploadFileRequest = "application/json"),
        (Vec<u8> = "image/*")
    )),
    responses(
        (status = 200, description = "Stored", body = Created),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn upload(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    ctx.authorize(params.caller(), Resource::Storage, Grant::Create, user)?;
    let filename = params.text("filename", NAME_CHARS_MAX).optional();
    let content_type = params.text("contentType", NAME_CHARS_MAX).optional();
    let cid = params.text("cid", NAME_CHARS_MAX).optional();
    let content = content(params);
    let octets_max = usize::try_from(MESSAGE_OCTETS_MAX).unwrap_or(usize::MAX);
    if content.as_ref().is_some_and(|content| content.0.len() > octets_max) {
        params.fail("content", format!("\"content\" has at most {octets_max} octets"));
    }
    params.session();
    call.params.finish(Unknown::Rejected)?;
    super::mailboxes::check_user(&ctx.mailstore, user).await?;
    let (octets, sent_name, sent_type) = content.unwrap_or_default();
    let filename = filename.or(sent_name).filter(|name| !name.is_empty());
    let content_type = content_type.or(sent_type);
    let content_type = content_type.unwrap_or_else(|| {
        filename.as_deref().map_or("application/octet-stream", type_of).to_owned()
    });
    let filename = filename.unwrap_or_else(|| {
        let day = iso_date(ctx.clock.now_ms());
        let day = day.split('T').next().unwrap_or_default();
        format!("upload-{day}.{}", extension_of(&content_type))
    });
    let cid = cid.map(|cid| cid.trim_matches(['<', '>']).to_owned());
    let new = NewFile { filename, content_type, cid, octets };
    Ok(Reply::created(ctx.mailstore.create_file(user, new).await?))
}

/// Files attached to one message.
const ATTACHED_MAX: usize = 100;

/// Reads `files`: ids of files to attach.
pub fn read_ids(params: &mut Params) -> Vec<ObjectId> {
    let expected = format!("must be a list of at most {ATTACHED_MAX} file ids");
    let read = |value: &Value| {
        let ids = value.as_array().filter(|ids| ids.len() <= ATTACHED_MAX)?;
        ids.iter().map(|id| id.as_str()?.to_ascii_lowercase().parse().ok()).collect()
    };
    params.parsed("files", &expected, read).optional().unwrap_or_default()
}

/// Files as attachments, and as they are noted with the message (`delivery::info`).
///
/// # Errors
/// 400 for a file that does not exist, and for more than a message has room for.
pub async fn load_all(
    ctx: &Context,
    user: UserId,
    ids: &[ObjectId],
) -> Result<(Vec<NewAttachment>, Value), Problem> {
    let (mut attached, mut noted, mut left) = (Vec::new(), Vec::new(), MESSAGE_OCTETS_MAX);
    for id in ids {
        let file = match ctx.mailstore.find_file(user, *id).await {
            Err(Error::NotFound { .. }) => {
                return Err(Problem::invalid("files", format!("the file {id} does not exist")));
            }
            file => file?,
        };
        left = left.checked_sub(file.octets).ok_or_else(|| {
            Problem::invalid("files", format!("a message has at most {MESSAGE_OCTETS_MAX} octets"))
        })?;
        attached.push(NewAttachment {
            filename: Some(file.filename.clone()),
            content_type: Some(file.content_type.clone()),
            cid: file.cid.clone(),
            is_inline: file.cid.is_some(),
            octets: ctx.mailstore.load_file(user, &file).await?.into(),
            ..NewAttachment::default()
        });
        let mut note = json!({
            "id": file.id.to_string(), "filename": file.filename,
            "contentType": file.content_type, "size": file.octets,
        });
        if let (Some(cid), Some(note)) = (file.cid, note.as_object_mut()) {
            note.insert("cid".into(), cid.into());
        }
        noted.push(note);
    }
    Ok((attached, Value::Array(noted)))
}

/// Deletes the files a message was composed with; one that cannot be deleted stays.
pub async fn delete_noted(ctx: &Context, user: UserId, info: Option<&str>) {
    let info = info.and_then(super::reply::json_value).unwrap_or_default();
    let files = info.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for id in files.iter().filter_map(|file| file.get("id")?.as_str()?.parse().ok()) {
        match ctx.mailstore.delete_file(user, id).await {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => tracing::warn!(user.id = %user, %error, "a sent file was not deleted"),
        }
    }
}

/// A stored file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileView {
    /// Id.
    pub id: String,
    /// Its name.
    pub filename: String,
    /// Its media type.
    pub content_type: String,
    /// Content-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cid: Option<String>,
    /// Octets.
    pub size: u64,
    /// When it was uploaded.
    pub created: String,
}

/// A page of files.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileList {
    /// Always true.
    pub success: bool,
    /// Page and cursors.
    #[serde(flatten)]
    pub page: PageView,
    /// `query` as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The files.
    pub results: Vec<FileView>,
}

impl From<&File> for FileView {
    fn from(file: &File) -> Self {
        Self {
            id: file.id.to_string(),
            filename: file.filename.clone(),
            content_type: file.content_type.clone(),
            cid: file.cid.clone(),
            size: file.octets,
            created: iso_date(file.created_ms),
        }
    }
}

fn key(file: &File) -> String {
    format!("{},{}", file.id, file.filename)
}

fn place(key: &str) -> Result<FilePlace, Problem> {
    let read = || {
        let (id, filename) = key.split_once(',')?;
        Some((filename.to_owned(), id.parse().ok()?))
    };
    read().ok_or_else(foreign_cursor)
}

/// List files
///
/// By name.
#[utoipa::path(
    get, path = "/users/{user}/storage", tag = "Storage", operation_id = "listFiles",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("query" = Option<String>, Query, description = "Part of the name"),
        ("limit" = Option<u32>, Query, description = "Files of a page, 1 to 250, default 20"),
        ("next" = Option<String>, Query, description = "`nextCursor` of the page before"),
        ("previous" = Option<String>, Query, description = "`previousCursor` of the page after")
    ),
    responses(
        (status = 200, description = "A page of files", body = FileList),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let user = params.user();
    let query = params.text("query", NAME_CHARS_MAX).optional();
    let page = params.page();
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Storage, Grant::Read, user)?;
    super::mailboxes::check_user(&ctx.mailstore, user).await?;
    let (position, number) = page.position()?;
    let around = match &position {
        Position::Start => (None, None),
        Position::After(key) => (Some(place(key)?), None),
        Position::Before(key) => (None, Some(place(key)?)),
    };
    let found = ctx.mailstore.list_files(user, query.as_deref(), around, page.limit).await?;
    let keys = found.rows.first().zip(found.rows.last());
    let keys = keys.map(|(first, last)| (key(first), key(last)));
    Ok(Reply::json(&FileList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        query,
        results: found.rows.iter().map(Into::into).collect(),
    }))
}

/// Delete a file
///
/// Messages it was attached to keep their copy.
#[utoipa::path(
    delete, path = "/users/{user}/storage/{file}", tag = "Storage", operation_id = "deleteFile",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("file" = String, Path, description = "File id")
    ),
    responses(
        (status = 200, description = "Deleted", body = Success),
        (status = 404, description = "`FileNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, file) = (params.user(), params.id("file").required());
    params.session();
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Storage, Grant::Delete, user)?;
    ctx.mailstore.delete_file(user, file).await?;
    Ok(Reply::success())
}

/// Download a file
///
/// Its octets, with its media type.
#[utoipa::path(
    get, path = "/users/{user}/storage/{file}", tag = "Storage", operation_id = "showFile",
    params(
        ("user" = String, Path, description = "User id, or `me`"),
        ("file" = String, Path, description = "File id")
    ),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream",
            body = Vec<u8>),
        (status = 404, description = "`FileNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, mut call: Call) -> Answer {
    let params = &mut call.params;
    let (user, id) = (params.user(), params.id("file").required());
    let caller = call.params.finish(Unknown::Rejected)?;
    ctx.authorize(&caller, Resource::Storage, Grant::Read, user)?;
    let file = ctx.mailstore.find_file(user, id).await?;
    let octets = file.octets;
    let octet_stream = HeaderValue::from_static("application/octet-stream");
    let content_type = HeaderValue::from_str(&file.content_type).unwrap_or(octet_stream);
    let pieces =
        stream::iter(0..pieces_of(&file)).then(move |index| {
            let (ctx, file) = (ctx.clone(), file.clone());
            async move {
                ctx.mailstore.load_file_piece(user, &file, index).await.map_err(io::Error::other)
            }
        });
    let mut response = Response::new(Body::from_stream(Box::pin(pieces)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(octets));
    // what was uploaded never runs as a page of ours
    let policy = HeaderValue::from_static("sandbox; default-src 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let nosniff = HeaderName::from_static("x-content-type-options");
    headers.insert(nosniff, HeaderValue::from_static("nosniff"));
    Ok(Reply::raw(response))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_names_are_guessed() {
        assert_eq!(type_of("a.B.PNG"), "image/png");
        assert_eq!(type_of("README"), "application/octet-stream");
        assert_eq!(extension_of("image/jpeg"), "jpeg");
        assert_eq!(extension_of("x/y"), "bin");
        let (filename, _) = place("0123456789abcdef01234567,a,b").unwrap();
        assert_eq!(filename, "a,b");
        assert!(place("x").is_err());
    }
}
