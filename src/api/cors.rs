//! Calls from pages of other origins (`reference/http-api.md` §0.1; Fetch standard, CORS protocol).

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Methods of operations.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
/// Headers a page may send.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "X-Access-Token, Authorization, Content-Type, Accept, Accept-Version, Content-Length, \
     Content-MD5, Date, X-Requested-With, X-Response-Time, Last-Event-ID",
);
/// Headers a page may read.
const EXPOSED: HeaderValue = HeaderValue::from_static("X-Request-Id, Content-Disposition");
/// Seconds a browser may remember the answer.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("3600");

/// The origins that may call.
#[derive(Clone, Debug)]
pub struct Origins(Arc<[String]>);

impl Origins {
    /// These; `*` is all.
    pub fn new(origins: Vec<String>) -> Self {
        Self(origins.into())
    }

    /// The request's origin, if it may call.
    fn of(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let is_allowed = self.0.iter().any(|allowed| allowed == "*" || *origin == **allowed);
        is_allowed.then(|| origin.clone())
    }
}

/// Answers preflights with 204, and says in every other answer which origin may read it.
pub async fn answer(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let origin = origins.of(request.headers());
    let asks = HeaderName::from_static("access-control-request-method");
    let is_preflight = request.method() == Method::OPTIONS && request.headers().contains_key(asks);
    let Some(origin) = origin else { return next.run(request).await };
    let mut response = if is_preflight {
        let mut response = StatusCode::NO_CONTENT.into_response();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
        let yes = HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        response
    } else {
        let mut response = next.run(request).await;
        response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}
