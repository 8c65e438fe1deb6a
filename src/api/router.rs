//! The table of contents of the API.

use super::body::BodyBudget;
use super::reply::json_response;
use super::{
    Context, acme, address_register, addresses, app_passwords, archived, audits, auth_log,
    authentication, autoreplies, certs, cors, data, dkim, domain_access, domain_aliases, files,
    filters, forwarded_addresses, health, mailboxes, message_list, message_source, message_update,
    message_upload, messages, metrics, middleware, openapi, outbound, queue, runtime_settings,
    search, second_factors, submit, suppressions, trace, updates, user_deletion, user_maintenance,
    users, webauthn, webhooks,
};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// All operations with their description.
pub fn operations() -> OpenApiRouter<Context> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(health::show))
        .routes(routes!(acme::answer))
        .routes(routes!(runtime_settings::list))
        .routes(routes!(runtime_settings::show, runtime_settings::set))
        .merge(domains())
        .merge(users_and_addresses())
        .merge(mailboxes_and_messages())
        .merge(rules_and_hooks())
        .merge(transport())
}

fn users_and_addresses() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::resolve))
        .routes(routes!(users::show, users::update, user_deletion::delete))
        .routes(routes!(user_deletion::show, user_deletion::restore))
        .routes(routes!(user_maintenance::log_out))
        .routes(routes!(user_maintenance::reset_all_quotas))
        .routes(routes!(user_maintenance::reset_password))
        .routes(routes!(user_maintenance::reset_quota))
        .routes(routes!(addresses::list_all))
        .routes(routes!(addresses::resolve))
        .routes(routes!(address_register::search))
        .routes(routes!(address_register::update))
        .routes(routes!(address_register::rename_domain))
        .routes(routes!(forwarded_addresses::create))
        .routes(routes!(
            forwarded_addresses::show,
            forwarded_addresses::update,
            forwarded_addresses::delete
        ))
        .routes(routes!(addresses::list, addresses::create))
        .routes(routes!(addresses::show, addresses::update, addresses::delete))
        .routes(routes!(authentication::authenticate, authentication::revoke))
        .routes(routes!(authentication::probe))
        .routes(routes!(authentication::preauth))
        .routes(routes!(auth_log::list))
        .routes(routes!(auth_log::show))
        .routes(routes!(app_passwords::list, app_passwords::create))
        .routes(routes!(app_passwords::show, app_passwords::delete))
        .routes(routes!(second_factors::set_up_totp))
        .routes(routes!(second_factors::enable_totp))
        .routes(routes!(second_factors::disable_totp))
        .routes(routes!(second_factors::check_totp))
        .routes(routes!(second_factors::enable_custom, second_factors::disable_custom))
        .routes(routes!(second_factors::disable_all))
        .routes(routes!(webauthn::list))
        .routes(routes!(webauthn::remove))
        .routes(routes!(webauthn::begin_registration))
        .routes(routes!(webauthn::finish_registration))
        .routes(routes!(webauthn::begin_assertion))
        .routes(routes!(webauthn::finish_assertion))
}

fn domains() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(domain_aliases::list, domain_aliases::create))
        .routes(routes!(domain_aliases::resolve))
        .routes(routes!(domain_aliases::show, domain_aliases::delete))
        .routes(routes!(domain_access::list_allowed, domain_access::allow))
        .routes(routes!(domain_access::list_blocked, domain_access::block))
        .routes(routes!(domain_access::delete))
}

fn rules_and_hooks() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(filters::list_all))
        .routes(routes!(filters::list, filters::create))
        .routes(routes!(filters::show, filters::update, filters::delete))
        .routes(routes!(autoreplies::show, autoreplies::update, autoreplies::delete))
        .routes(routes!(submit::submit))
        .routes(routes!(outbound::submit_draft))
        .routes(routes!(outbound::forward))
        .routes(routes!(outbound::cancel))
        .routes(routes!(dkim::list, dkim::update))
        .routes(routes!(dkim::resolve))
        .routes(routes!(dkim::show, dkim::delete))
        .routes(routes!(certs::list, certs::update))
        .routes(routes!(certs::resolve))
        .routes(routes!(certs::show, certs::delete))
        .routes(routes!(audits::create))
        .routes(routes!(audits::show))
        .routes(routes!(audits::export))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::delete))
        .routes(routes!(data::export))
        .routes(routes!(data::import))
}

fn transport() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(trace::search))
        .routes(routes!(trace::show))
        .routes(routes!(queue::list, queue::steer_many, queue::delete_many))
        .routes(routes!(queue::summary))
        .routes(routes!(suppressions::list, suppressions::create))
        .routes(routes!(suppressions::delete))
        .routes(routes!(queue::show, queue::steer, queue::delete))
}

fn mailboxes_and_messages() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(mailboxes::list, mailboxes::create))
        .routes(routes!(mailboxes::show, mailboxes::update, mailboxes::delete))
        .routes(routes!(
            message_list::list,
            message_upload::upload,
            message_update::update_many,
            message_update::delete_all
        ))
        .routes(routes!(messages::show, message_update::update, message_update::delete))
        .routes(routes!(message_source::source))
        .routes(routes!(message_source::attachment))
        .routes(routes!(search::search, search::apply))
        .routes(routes!(files::list, files::upload))
        .routes(routes!(files::show, files::delete))
        .routes(routes!(updates::updates))
        .routes(routes!(archived::list))
        .routes(routes!(archived::restore_range))
        .routes(routes!(archived::restore))
}

/// The service.
pub fn build(ctx: Context) -> Router {
    let (router, _) = operations().split_for_parts();
    let origins = ctx.settings.cors_origins.clone();
    let docs = SwaggerUi::new("/docs").config(Config::from("/openapi.json"));
    router
        .route("/metrics", axum::routing::get(metrics::show))
        .with_state(ctx)
        .route("/openapi.json", axum::routing::get(description))
        .route("/api-methods", axum::routing::get(methods))
        .merge(docs)
        .fallback(|uri: Uri| async move { middleware::not_found(uri.path()) })
        .method_not_allowed_fallback(|method: Method| async move {
            middleware::method_not_allowed(method.as_str())
        })
        .layer(DefaultBodyLimit::disable())
        .layer(axum::Extension(BodyBudget::default()))
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(axum::middleware::from_fn_with_state(cors::Origins::new(origins), cors::answer))
        .layer(axum::middleware::from_fn(middleware::observe))
}

async fn description() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], openapi::document())
}

async fn methods() -> Response {
    json_response(StatusCode::OK, &openapi::methods())
}
