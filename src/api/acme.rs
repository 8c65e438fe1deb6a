//! Answers to ACME http-01 challenges (RFC 8555 §8.3).

use super::Context;
use super::problem::{Problem, ProblemView};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Answer an ACME challenge
///
/// Without a token: certificate authorities ask for it.
#[utoipa::path(
    get, path = "/.well-known/acme-challenge/{token}", tag = "Certificates",
    operation_id = "answerAcmeChallenge", security(()),
    params(("token" = String, Path, description = "The challenge's token")),
    responses(
        (status = 200, description = "The key authorization", body = String,
            content_type = "text/plain"),
        (status = 400, description = "The token is too long", body = ProblemView),
        (status = 404, description = "No such challenge at this host", body = ProblemView)
    )
)]
pub async fn answer(
    State(ctx): State<Context>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if token.chars().count() > 256 {
        return Err(Problem::invalid("token", "\"token\" must be text of at most 256 characters"));
    }
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    match ctx.directory.find_acme_answer(&token, host).await? {
        Some(text) => Ok(([(header::CONTENT_TYPE, "text/plain")], text).into_response()),
        None => {
            let mut problem = Problem::new(StatusCode::NOT_FOUND, "", "Unknown challenge");
            problem.body.remove("code");
            Err(problem)
        }
    }
}
