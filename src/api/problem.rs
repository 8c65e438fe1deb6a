//! What went wrong, as status and body: the only place where errors become HTTP.
//!
//! Shapes and codes are those of `reference/http-api.md` §0.3 and its appendix A.

use crate::model::error::{Error, SECRET_SEALED};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An answer that is not a success.
#[derive(Debug)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Map<String, Value>,
}

/// The body of a failed operation.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct ProblemView {
    /// What went wrong, for people.
    pub error: String,
    /// What went wrong, for programs.
    pub code: Option<String>,
    /// With `InputValidationError`: each refused parameter and why.
    pub details: Option<BTreeMap<String, String>>,
}

/// The body of a refused token, an unknown route or an unreadable body.
#[derive(Debug, serde::Serialize, ToSchema)]
pub struct RefusalView {
    /// What went wrong, for programs.
    pub code: String,
    /// What went wrong, for people.
    pub message: String,
}

impl Problem {
    /// `{error, code}`.
    pub fn new(status: StatusCode, code: &str, error: impl Into<String>) -> Self {
        let mut body = Map::new();
        body.insert("error".into(), Value::String(error.into()));
        body.insert("code".into(), Value::String(code.into()));
        Self { status, body }
    }

    /// `{code, message}`, the shape of what happens before an operation runs.
    pub fn refusal(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let mut body = Map::new();
        body.insert("code".into(), Value::String(code.into()));
        body.insert("message".into(), Value::String(message.into()));
        Self { status, body }
    }

    /// 400 with every failed parameter.
    pub fn validation(failures: BTreeMap<String, String>) -> Self {
        let text = failures.values().map(String::as_str).collect::<Vec<_>>().join(". ");
        let problem = Self::new(StatusCode::BAD_REQUEST, "InputValidationError", text);
        problem.with("details", json!(failures))
    }

    /// 400 with one failed parameter.
    pub fn invalid(path: &str, reason: impl Into<String>) -> Self {
        Self::validation(BTreeMap::from([(path.to_owned(), reason.into())]))
    }

    /// 403 for a principal without the grant.
    pub fn missing_privileges() -> Self {
        let text = "Not enough privileges";
        Self::new(StatusCode::FORBIDDEN, "MissingPrivileges", text)
    }

    /// 403 for a missing, unknown or expired token.
    pub fn invalid_token() -> Self {
        Self::refusal(StatusCode::FORBIDDEN, "InvalidToken", "Invalid accessToken value")
    }

    /// The same with another status: operations that answer oddly say so.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with one more field.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.body.insert(field.to_owned(), value);
        self
    }

    /// The code, if there is one.
    pub fn code(&self) -> Option<&str> {
        self.body.get("code").and_then(Value::as_str)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::NotFound { what } => {
                let (code, text) = not_found(what);
                Self::new(StatusCode::NOT_FOUND, code, text)
            }
            Error::AlreadyExists { what } => {
                let (status, code, text) = already_exists(what);
                Self::new(status, code, text)
            }
            Error::Invalid { field, reason } => Self::invalid(field, reason),
            Error::Unauthenticated => {
                Self::new(StatusCode::FORBIDDEN, "AuthFailed", "Authentication failed")
            }
            Error::Forbidden { reason } => {
                Self::new(StatusCode::FORBIDDEN, "MissingPrivileges", reason)
            }
            Error::OverQuota => {
                Self::new(StatusCode::BAD_REQUEST, "OverQuotaError", "The user is over quota")
            }
            Error::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", text),
            Error::LimitReached { .. } => Self::new(StatusCode::FORBIDDEN, "TooMany", text),
            Error::Throttled { retry_after_s } => {
                Self::new(StatusCode::FORBIDDEN, "RateLimitedError", text)
                    .with("ttl", json!(retry_after_s))
            }
            Error::Conflict { .. } => Self::new(StatusCode::CONFLICT, "Conflict", text),
            Error::Unavailable { reason, source } => {
                log_failure("database", reason, source.as_deref());
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalDatabaseError",
                    "Database error; try again",
                )
            }
            Error::Internal { reason, source } => {
                log_failure("internal", reason, source.as_deref());
                let code =
                    if reason == SECRET_SEALED { "InternalConfigError" } else { "InternalError" };
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, "Internal error")
            }
        }
    }
}

/// Logs an error with the chain of its causes, once, where it is answered.
fn log_failure(kind: &str, reason: &str, source: Option<&(dyn std::error::Error + Send + Sync)>) {
    let mut causes = Vec::new();
    let mut cause = source.map(|error| error as &dyn std::error::Error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    tracing::error!(kind, reason, causes = causes.join(": "), "request failed");
}

fn not_found(what: &str) -> (&'static str, &'static str) {
    match what {
        "user" => ("UserNotFound", "This user does not exist"),
        "mailbox" => ("NoSuchMailbox", "This mailbox does not exist"),
        "address" => ("AddressNotFound", "Invalid or unknown address"),
        "filter" => ("FilterNotFound", "This filter does not exist"),
        "webhook" => ("WebhookNotFound", "This webhook does not exist"),
        "dkim" => ("DkimNotFound", "Invalid or unknown DKIM key"),
        "cert" => ("CertNotFound", "Invalid or unknown certificate"),
        "audit" => ("AuditNotFoundError", "This audit does not exist"),
        "alias" => ("AliasNotFound", "This alias does not exist"),
        "domain" => ("DomainNotFound", "This domain does not exist"),
        "event" => ("EventNotFound", "This event does not exist"),
        "app password" => ("AspNotFound", "Invalid or unknown ASP key"),
        "attachment" => ("AttachmentNotFound", "This attachment does not exist"),
        "suppression" => ("SuppressionNotFound", "This address is not on the list"),
        "trace" => ("TraceNotFound", "Nothing is known of this message"),
        "queue entry" => ("QueueEntryNotFound", "This entry is not in the queue"),
        "file" => ("FileNotFound", "This file does not exist"),
        _ => ("MessageNotFound", "This message does not exist"),
    }
}

fn already_exists(what: &str) -> (StatusCode, &'static str, &'static str) {
    match what {
        // http-api.md, POST /users: sent as 500
        "user" => {
            let text = "This username already exists";
            (StatusCode::INTERNAL_SERVER_ERROR, "UserExistsError", text)
        }
        "alias" => (StatusCode::BAD_REQUEST, "AliasExists", "This domain alias already exists"),
        "mailbox" => (StatusCode::BAD_REQUEST, "MailboxExistsError", "This mailbox already exists"),
        _ => (StatusCode::BAD_REQUEST, "AddressExistsError", "This email address already exists"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = super::reply::json_response(self.status, &self.body);
        if self.body.contains_key("message") {
            // §0.1: refusals before an operation runs name no charset
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meanings_have_the_codes_of_the_reference() {
        let code = |error: Error| {
            let problem = Problem::from(error);
            (problem.status.as_u16(), problem.code().unwrap_or_default().to_owned())
        };
        assert_eq!(code(Error::NotFound { what: "mailbox" }), (404, "NoSuchMailbox".into()));
        assert_eq!(code(Error::AlreadyExists { what: "user" }), (500, "UserExistsError".into()));
        assert_eq!(code(Error::invalid("a", "b")), (400, "InputValidationError".into()));
        assert_eq!(code(Error::Throttled { retry_after_s: 1 }), (403, "RateLimitedError".into()));
    }
}
