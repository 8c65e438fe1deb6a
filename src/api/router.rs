//! The table of contents of the API.

use super::{Context, health, middleware, openapi};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri, header};
use axum::response::IntoResponse;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// All operations with their description.
pub fn operations() -> OpenApiRouter<Context> {
    OpenApiRouter::with_openapi(openapi::base()).routes(routes!(health::show))
}

/// The service.
pub fn build(ctx: Context) -> Router {
    let (router, _) = operations().split_for_parts();
    let docs = SwaggerUi::new("/docs").config(Config::from("/openapi.json"));
    router
        .with_state(ctx)
        .route("/openapi.json", axum::routing::get(description))
        .merge(docs)
        .fallback(|uri: Uri| async move { middleware::not_found(uri.path()) })
        .method_not_allowed_fallback(|method: Method| async move {
            middleware::method_not_allowed(method.as_str())
        })
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(axum::middleware::from_fn(middleware::observe))
}

async fn description() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], openapi::document())
}
