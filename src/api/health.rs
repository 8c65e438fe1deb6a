//! Is the store alive?

use super::Context;
use super::extract::sent_token;
use super::problem::RefusalView;
use super::reply::{Reply, json_response};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Health of this node.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HealthView {
    /// Whether requests can be served.
    pub success: bool,
    /// Version of the program.
    pub version: &'static str,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'static str>,
}

/// Health of this node
///
/// Asks the database. Needs no token, so that load balancers can ask.
#[utoipa::path(
    get, path = "/health", tag = "Health", operation_id = "showHealth", security(()),
    responses(
        (status = 200, description = "The node can serve requests", body = HealthView),
        (status = 403, description = "The token that was sent is not valid", body = RefusalView),
        (status = 500, description = "The database is away", body = HealthView)
    )
)]
pub async fn show(State(ctx): State<Context>, uri: Uri, headers: HeaderMap) -> Response {
    // §0.4: a token that is sent is a good one, here too
    if let Some(token) = sent_token(&uri, &headers)
        && let Err(problem) = ctx.identify(Some(token)).await
    {
        return problem.into_response();
    }
    let version = env!("CARGO_PKG_VERSION");
    match ctx.directory.check_health().await {
        Ok(()) => {
            Reply::json(&HealthView { success: true, version, message: None }).into_response()
        }
        Err(error) => {
            tracing::warn!(%error, "health check failed");
            let message = Some("Database is not available");
            let view = HealthView { success: false, version, message };
            json_response(StatusCode::INTERNAL_SERVER_ERROR, &view)
        }
    }
}
