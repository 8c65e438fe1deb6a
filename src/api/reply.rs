//! Answers: JSON as the reference prints it, and octets.

use super::problem::Problem;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What a handler returns.
pub type Answer = Result<Reply, Problem>;

/// A successful answer.
#[derive(Debug)]
pub struct Reply(Response);

/// `{"success": true}`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Success {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
}

/// `{"success": true, "id": …}`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Created {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// The new object's id.
    #[schema(example = "6ad9a3c2e1f0b1a2c3d4e5f6")]
    pub id: String,
}

impl Reply {
    /// A view as JSON with status 200.
    pub fn json<T: Serialize>(view: &T) -> Self {
        Self(json_response(StatusCode::OK, view))
    }

    /// `{"success": true}`.
    pub fn success() -> Self {
        Self::json(&Success { success: true })
    }

    /// `{"success": true, "id": …}`.
    pub fn created(id: impl std::fmt::Display) -> Self {
        Self::json(&Created { success: true, id: id.to_string() })
    }

    /// Any other response.
    pub const fn raw(response: Response) -> Self {
        Self(response)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        self.0
    }
}

/// JSON indented by two spaces, with a final line feed (§0.1).
pub fn json_response<T: Serialize>(status: StatusCode, view: &T) -> Response {
    let mut text = match serde_json::to_vec_pretty(view) {
        Ok(text) => text,
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            b"{\"error\": \"Internal error\", \"code\": \"InternalError\"}".to_vec()
        }
    };
    text.push(b'\n');
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Milliseconds since 1970 as ISO 8601 in UTC with milliseconds, as the reference prints dates.
pub fn iso_date(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).map_or_else(
        |_| String::new(),
        |instant| instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
    )
}

/// Stored JSON text as a value; nothing if it is not JSON.
pub fn json_value(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text).ok()
}
