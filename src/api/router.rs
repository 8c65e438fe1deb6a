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
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

/// One path: the operations of its methods with their description.
type Path = fn() -> UtoipaMethodRouter<Context>;

/// The store itself.
const OF_THE_STORE: &[Path] = &[
    || routes!(health::show),
    || routes!(acme::answer),
    || routes!(runtime_settings::list),
    || routes!(runtime_settings::show, runtime_settings::set),
];

/// Domains.
const OF_DOMAINS: &[Path] = &[
    || routes!(domain_aliases::list, domain_aliases::create),
    || routes!(domain_aliases::resolve),
    || routes!(domain_aliases::show, domain_aliases::delete),
    || routes!(domain_access::list_allowed, domain_access::allow),
    || routes!(domain_access::list_blocked, domain_access::block),
    || routes!(domain_access::delete),
];

/// Users, their addresses and how they log in.
const OF_USERS: &[Path] = &[
    || routes!(users::list, users::create),
    || routes!(users::resolve),
    || routes!(users::show, users::update, user_deletion::delete),
    || routes!(user_deletion::show, user_deletion::restore),
    || routes!(user_maintenance::log_out),
    || routes!(user_maintenance::reset_all_quotas),
    || routes!(user_maintenance::reset_password),
    || routes!(user_maintenance::reset_quota),
    || routes!(addresses::list_all),
    || routes!(addresses::resolve),
    || routes!(address_register::search),
    || routes!(address_register::update),
    || routes!(address_register::rename_domain),
    || routes!(forwarded_addresses::create),
    || routes!(forwarded_addresses::show, forwarded_addresses::update, forwarded_addresses::delete),
    || routes!(addresses::list, addresses::create),
    || routes!(addresses::show, addresses::update, addresses::delete),
    || routes!(authentication::authenticate, authentication::revoke),
    || routes!(authentication::probe),
    || routes!(authentication::preauth),
    || routes!(auth_log::list),
    || routes!(auth_log::show),
    || routes!(app_passwords::list, app_passwords::create),
    || routes!(app_passwords::show, app_passwords::delete),
    || routes!(second_factors::set_up_totp),
    || routes!(second_factors::enable_totp),
    || routes!(second_factors::disable_totp),
    || routes!(second_factors::check_totp),
    || routes!(second_factors::enable_custom, second_factors::disable_custom),
    || routes!(second_factors::disable_all),
    || routes!(webauthn::list),
    || routes!(webauthn::remove),
    || routes!(webauthn::begin_registration),
    || routes!(webauthn::finish_registration),
    || routes!(webauthn::begin_assertion),
    || routes!(webauthn::finish_assertion),
];

/// Mailboxes and messages.
const OF_MAILBOXES: &[Path] = &[
    || routes!(mailboxes::list, mailboxes::create),
    || routes!(mailboxes::show, mailboxes::update, mailboxes::delete),
    || {
        routes!(
            message_list::list,
            message_upload::upload,
            message_update::update_many,
            message_update::delete_all
        )
    },
    || routes!(messages::show, message_update::update, message_update::delete),
    || routes!(message_source::source),
    || routes!(message_source::attachment),
    || routes!(search::search, search::apply),
    || routes!(files::list, files::upload),
    || routes!(files::show, files::delete),
    || routes!(updates::updates),
    || routes!(archived::list),
    || routes!(archived::restore_range),
    || routes!(archived::restore),
];

/// Rules, what leaves, keys and hooks.
const OF_RULES: &[Path] = &[
    || routes!(filters::list_all),
    || routes!(filters::list, filters::create),
    || routes!(filters::show, filters::update, filters::delete),
    || routes!(autoreplies::show, autoreplies::update, autoreplies::delete),
    || routes!(submit::submit),
    || routes!(outbound::submit_draft),
    || routes!(outbound::forward),
    || routes!(outbound::cancel),
    || routes!(dkim::list, dkim::update),
    || routes!(dkim::resolve),
    || routes!(dkim::show, dkim::delete),
    || routes!(certs::list, certs::update),
    || routes!(certs::resolve),
    || routes!(certs::show, certs::delete),
    || routes!(audits::create),
    || routes!(audits::show),
    || routes!(audits::export),
    || routes!(webhooks::list, webhooks::create),
    || routes!(webhooks::delete),
    || routes!(data::export),
    || routes!(data::import),
];

/// Messages on their way.
const OF_TRANSPORT: &[Path] = &[
    || routes!(trace::search),
    || routes!(trace::show),
    || routes!(queue::list, queue::steer_many, queue::delete_many),
    || routes!(queue::summary),
    || routes!(suppressions::list, suppressions::create),
    || routes!(suppressions::delete),
    || routes!(queue::show, queue::steer, queue::delete),
];

fn paths() -> impl Iterator<Item = &'static Path> {
    [OF_THE_STORE, OF_DOMAINS, OF_USERS, OF_MAILBOXES, OF_RULES, OF_TRANSPORT].into_iter().flatten()
}

/// All operations with their description.
pub fn operations() -> OpenApiRouter<Context> {
    let all = OpenApiRouter::with_openapi(openapi::base());
    paths().fold(all, |all, path| all.routes(path()))
}

/// All operations. A description is dropped before the next is made: whole it takes 6 MB, which the
/// heap would keep.
fn handlers() -> Router<Context> {
    let handler = |path: &Path| OpenApiRouter::new().routes(path()).split_for_parts().0;
    paths().fold(Router::new(), |all, path| all.merge(handler(path)))
}

/// The service.
pub fn build(ctx: Context) -> Router {
    let origins = ctx.settings.cors_origins.clone();
    let docs = SwaggerUi::new("/docs").config(Config::from("/openapi.json"));
    handlers()
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    /// The last one with a name would describe them all.
    #[test]
    fn a_schemas_name_means_one_thing() {
        let mut known: HashMap<String, String> = HashMap::new();
        for (name, schema) in super::paths().flat_map(|path| path().0) {
            let text = serde_json::to_string(&schema).unwrap();
            assert_eq!(known.entry(name.clone()).or_insert_with(|| text.clone()), &text, "{name}");
        }
        assert!(known.len() > 100, "{}", known.len());
    }
}
