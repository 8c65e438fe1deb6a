//! Around every request: an id, one line in the log, and panics that cost one answer only.

use super::access::Caller;
use super::problem::Problem;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// Characters of one segment of a path (`reference/http-api.md` §0.1).
const SEGMENT_CHARS_MAX: usize = 196;

/// Where the extractor leaves the caller's name for the access log.
#[derive(Clone, Default, Debug)]
pub struct CallerName(Arc<OnceLock<String>>);

impl CallerName {
    /// Notes who calls.
    pub fn set(&self, caller: &Caller) {
        let name = caller.user().map_or_else(|| "root".to_owned(), |user| user.to_string());
        let _already_noted = self.0.set(name);
    }
}

/// Gives the request an id, refuses overlong paths, and logs one line when it is answered.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let id = format!("{:016x}", rand::random::<u64>());
    let name = CallerName::default();
    request.extensions_mut().insert(name.clone());
    let method = request.method().clone();
    // the query may hold a token: only the path is logged
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".to_owned());
    // names and addresses do not belong into the log, where the path has them
    let shown = if route.contains("/resolve/") { route.clone() } else { path.clone() };
    let started = tokio::time::Instant::now();
    // an escape (%XX) counts as one
    let chars =
        |segment: &str| segment.len() - 2 * segment.matches('%').count().min(segment.len() / 3);
    let is_overlong = path.split('/').any(|segment| chars(segment) > SEGMENT_CHARS_MAX);
    let mut response =
        if is_overlong { not_found(&path).into_response() } else { next.run(request).await };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    let status = response.status().as_u16();
    let elapsed = started.elapsed();
    metrics::histogram!("eider_api_seconds", "route" => route, "status" => status.to_string())
        .record(elapsed.as_secs_f64());
    let duration_ms = elapsed.as_millis();
    let user = name.0.get().map_or("-", String::as_str);
    tracing::info!(
        request.id = id, %method, path = shown, status, %duration_ms, user.id = user, "api request"
    );
    response
}

/// The answer where no route matches.
pub fn not_found(path: &str) -> Problem {
    let path: String = path.chars().take(256).collect();
    let text = format!("{path} does not exist");
    Problem::refusal(StatusCode::NOT_FOUND, "ResourceNotFound", text)
}

/// The answer where the route exists for other methods.
pub fn method_not_allowed(method: &str) -> Problem {
    let text = format!("{method} is not allowed");
    Problem::refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", text)
}

/// The answer after a panic.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    tracing::error!(panic = text, "a request panicked");
    metrics::counter!("eider_api_panics_total").increment(1);
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "Internal error")
        .into_response()
}
