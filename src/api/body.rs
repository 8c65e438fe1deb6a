//! Request bodies: JSON, forms, multipart forms, or octets kept as they came.

use super::params::Upload;
use super::problem::Problem;
use super::query;
use crate::model::limits::MESSAGE_OCTETS_MAX;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets of a request body: a message in base64, with room for the rest of the form.
pub const BODY_OCTETS_MAX: usize = 90 * 1024 * 1024;
/// Parts of a multipart form.
const PARTS_MAX: usize = 1000;
const _: () = assert!(BODY_OCTETS_MAX as u64 > MESSAGE_OCTETS_MAX / 3 * 4);

/// Octets of all bodies in memory at a time, in KiB.
const BUDGET_KIB: u32 = 512 * 1024;
/// Bodies announced as smaller than this are not counted.
const SMALL_OCTETS: u64 = 64 * 1024;
/// How long a request waits for room.
const WAIT: Duration = Duration::from_secs(30);
/// How long a body may take.
const READ: Duration = Duration::from_secs(600);

/// The memory that request bodies of this node share; cheap to clone.
#[derive(Clone, Debug)]
pub struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        let permits = usize::try_from(BUDGET_KIB).unwrap_or(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(permits)))
    }
}

impl BodyBudget {
    /// Room for a body with these headers, kept until it is dropped; without a length it is charged
    /// as the largest.
    ///
    /// # Errors
    /// 413 for a body announced as too large, 503 when there is no room in time.
    pub async fn reserve(&self, headers: &HeaderMap) -> Result<Option<Room>, Problem> {
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length: Option<u64> = length.and_then(|text| text.parse().ok());
        let has_body = length.is_some() || headers.contains_key(header::TRANSFER_ENCODING);
        if !has_body || length.is_some_and(|octets| octets < SMALL_OCTETS) {
            return Ok(None);
        }
        let octets = length.unwrap_or(BODY_OCTETS_MAX as u64);
        if octets > BODY_OCTETS_MAX as u64 {
            return Err(too_large());
        }
        let kib = u32::try_from(octets / 1024 + 1).unwrap_or(BUDGET_KIB);
        let wait = Arc::clone(&self.0).acquire_many_owned(kib);
        match tokio::time::timeout(WAIT, wait).await {
            Ok(Ok(permit)) => Ok(Some(Room(permit))),
            Ok(Err(_)) | Err(_) => {
                let text = "Too many large requests at once; try again";
                Err(Problem::refusal(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", text))
            }
        }
    }
}

/// Memory reserved for one body.
#[derive(Debug)]
pub struct Room(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// What a body holds.
#[derive(Default, Debug)]
pub struct Content {
    /// Named values.
    pub values: Map<String, Value>,
    /// Files of a multipart form.
    pub files: BTreeMap<String, Upload>,
    /// A body that is no form.
    pub body: Option<Upload>,
}

/// Reads a body by its type.
///
/// # Errors
/// 400 `InvalidContent` when it is not what it says, 413 when it is too large.
pub async fn read(headers: &HeaderMap, body: Body) -> Result<Content, Problem> {
    match tokio::time::timeout(READ, read_all(headers, body)).await {
        Ok(content) => content,
        Err(_) => {
            let text = "The body took too long";
            Err(Problem::refusal(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", text))
        }
    }
}

async fn read_all(headers: &HeaderMap, body: Body) -> Result<Content, Problem> {
    let header = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type =
        header.unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if content_type == "multipart/form-data" {
        return multipart(headers, body).await;
    }
    let octets = axum::body::to_bytes(body, BODY_OCTETS_MAX).await.map_err(|error| {
        tracing::debug!(%error, "a request body could not be read");
        too_large()
    })?;
    let mut content = Content::default();
    match content_type.as_str() {
        _ if octets.is_empty() => {}
        "application/json" | "" => content.values = json(&octets)?,
        "application/x-www-form-urlencoded" => {
            content.values = query::parse(&octets, false).map_err(invalid)?;
        }
        _ => content.body = Some(Upload { filename: None, content_type, content: octets }),
    }
    Ok(content)
}

fn json(octets: &[u8]) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_slice(octets) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(_) => Err(invalid("the body has to be a JSON object")),
        Err(error) => Err(invalid(&format!("Invalid JSON: {error}"))),
    }
}

async fn multipart(headers: &HeaderMap, body: Body) -> Result<Content, Problem> {
    let limited = Body::new(http_body_limit(body));
    let mut request = Request::new(limited);
    *request.headers_mut() = headers.clone();
    let unreadable = |error: &dyn std::fmt::Display| invalid(&format!("Invalid form: {error}"));
    let mut form = Multipart::from_request(request, &()).await.map_err(|e| unreadable(&e))?;
    let mut content = Content::default();
    let mut parts = 0;
    while let Some(field) = form.next_field().await.map_err(|e| unreadable(&e))? {
        parts += 1;
        if parts > PARTS_MAX {
            return Err(invalid("Invalid form: too many parts"));
        }
        let name = field.name().unwrap_or_default().to_owned();
        let filename = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(str::to_ascii_lowercase);
        let octets: Bytes = field.bytes().await.map_err(|e| unreadable(&e))?;
        if filename.is_none() {
            let text = String::from_utf8(octets.into())
                .map_err(|_| invalid("Invalid form: a field is not UTF-8"))?;
            query::put(&mut content.values, &name, text, 0);
        } else {
            let content_type = content_type.unwrap_or_default();
            content.files.insert(name, Upload { filename, content_type, content: octets });
        }
    }
    Ok(content)
}

/// The body, ended by an error beyond the bound.
fn http_body_limit(body: Body) -> Body {
    use futures_util::StreamExt as _;
    let mut left = BODY_OCTETS_MAX;
    Body::from_stream(body.into_data_stream().map(move |chunk| {
        let chunk = chunk.map_err(std::io::Error::other)?;
        left = left
            .checked_sub(chunk.len())
            .ok_or_else(|| std::io::Error::other("the body is too large"))?;
        Ok::<Bytes, std::io::Error>(chunk)
    }))
}

fn invalid(reason: &str) -> Problem {
    Problem::refusal(StatusCode::BAD_REQUEST, "InvalidContent", reason)
}

fn too_large() -> Problem {
    let text = format!("A request body has at most {BODY_OCTETS_MAX} octets");
    Problem::refusal(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", text)
}
