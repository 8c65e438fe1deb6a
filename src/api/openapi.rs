//! What the description of the API says besides the operations.

use super::problem::{ProblemView, RefusalView};
use super::router;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::OneOfBuilder;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi as _};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Eider",
        description = "Users, addresses, mailboxes and messages of an Eider mail store. \
            Operations and shapes are compatible with WildDuck 1.50. \
            Any parameter may be sent in the query or in the body; \
            the path wins over the query, the query over the body.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "Users", description = "Who owns mailboxes and logs in"),
        (name = "Addresses", description = "Where mail for users is sent to"),
        (name = "Authentication", description = "Checking passwords, access tokens"),
        (name = "ApplicationPasswords", description = "Passwords for IMAP, POP3 and SMTP alone"),
        (name = "TwoFactorAuth", description = "Second factors"),
        (name = "Mailboxes", description = "Named sets of messages"),
        (name = "Messages", description = "Messages in mailboxes"),
        (name = "Filters", description = "Rules for arriving messages"),
        (name = "Autoreplies", description = "Answers while somebody is away"),
        (name = "Submission", description = "Sending messages"),
        (name = "Trace", description = "What happened to messages"),
        (name = "Queue", description = "What waits to be sent"),
        (name = "Audit", description = "Copies of a user's mail"),
        (name = "DKIM", description = "Keys that sign outgoing mail"),
        (name = "Certs", description = "Certificates by the name clients ask for"),
        (name = "Webhooks", description = "Programs that are told of events"),
        (name = "DomainAliases", description = "Domains that stand for other domains"),
        (name = "DomainAccess", description = "Senders' domains let through, or taken for spam"),
        (name = "Settings", description = "Limits that operators change while the store runs"),
        (name = "Certificates", description = "TLS certificates"),
        (name = "Archive", description = "Deleted messages that can be restored"),
        (name = "Storage", description = "Files to be attached to messages later"),
        (name = "Updates", description = "What changes, as it happens"),
        (name = "Health", description = "Is the store alive?")
    ),
    security(("accessToken" = []), ("accessTokenHeader" = []), ("accessTokenQuery" = [])),
    components(schemas(AnyProblem)),
    modifiers(&SecuritySchemes)
)]
struct Description;

/// The type of nearly all bodies.
const JSON: &str = "application/json";

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, openapi: &mut OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("accessToken", SecurityScheme::Http(bearer));
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Access-Token")));
        components.add_security_scheme("accessTokenHeader", header);
        let query = SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::new("accessToken")));
        components.add_security_scheme("accessTokenQuery", query);
    }
}

/// The description without operations.
pub fn base() -> OpenApi {
    Description::openapi()
}

/// What went wrong, in one of its shapes.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "documentation of bodies only")]
enum AnyProblem {
    /// In the operation.
    Problem(ProblemView),
    /// Before it.
    Refusal(RefusalView),
}

/// Operations that tell of a failure with status 200, as the reference does.
const SOFT: [&str; 2] = ["finishCredentialRegistration", "finishAssertion"];

/// Adds what is true of every operation: a parameter may be refused, a token may be missing; a
/// failure before the operation has another shape than one in it.
fn complete(operation: &mut Operation) {
    let is_public = operation.security == Some(vec![SecurityRequirement::default()]);
    let responses = &mut operation.responses.responses;
    for (status, text) in [("400", "Refused"), ("403", "Not permitted, or no valid token")] {
        let response = || ResponseBuilder::new().description(text).content(JSON, problem());
        if !is_public {
            responses.entry(status.to_owned()).or_insert_with(|| response().build().into());
        }
    }
    if !is_public && pages(operation.parameters.as_deref()) {
        let text = "`InternalDatabaseError`: a cursor of another listing";
        let response = || ResponseBuilder::new().description(text).content(JSON, problem());
        responses.entry("500".to_owned()).or_insert_with(|| response().build().into());
    }
    let is_soft = operation.operation_id.as_deref().is_some_and(|id| SOFT.contains(&id));
    for (status, response) in responses.iter_mut() {
        let RefOr::T(response) = response else { continue };
        let Some(RefOr::T(content)) = response.content.get_mut(JSON) else { continue };
        if status != "200" {
            *content = problem();
        } else if is_soft && let Some(right) = content.schema.take() {
            let either = OneOfBuilder::new().item(right).item(Ref::from_schema_name("ProblemView"));
            content.schema = Some(RefOr::T(either.into()));
        }
    }
}

/// Whether an operation answers with one page of many.
fn pages(parameters: Option<&[RefOr<Parameter>]>) -> bool {
    let is_cursor = |one: &RefOr<Parameter>| matches!(one, RefOr::T(one) if one.name == "next");
    parameters.is_some_and(|all| all.iter().any(is_cursor))
}

fn problem() -> Content {
    Content::new(Some(Ref::from_schema_name("AnyProblem")))
}

/// The whole description as JSON text, indented, with a final line feed.
pub fn document() -> String {
    let mut description = router::operations().into_openapi();
    for item in description.paths.paths.values_mut() {
        let methods = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in methods.into_iter().flatten() {
            complete(operation);
        }
    }
    let mut text = description.to_pretty_json().unwrap_or_else(|error| {
        tracing::error!(%error, "the description could not be written");
        "{}".to_owned()
    });
    text.push('\n');
    text
}

/// Methods and paths by the name of the operation, parameters as `:user`: what the reference store
/// tells its test suites of itself.
pub fn methods() -> Value {
    let description = serde_json::to_value(router::operations().into_openapi());
    let description = description.unwrap_or_default();
    let mut methods = Map::new();
    let paths = description.get("paths").and_then(Value::as_object).into_iter().flatten();
    for (path, item) in paths {
        let path = path.replace('{', ":").replace('}', "");
        for (method, operation) in item.as_object().into_iter().flatten() {
            let method = method.to_uppercase();
            let name = operation.get("operationId").and_then(Value::as_str).unwrap_or_default();
            let spec = json!({ "name": name, "method": method, "path": path });
            let known = json!({ "name": name, "method": method, "path": path, "spec": spec });
            methods.insert(name.to_owned(), known);
        }
    }
    Value::Object(methods)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_operation_has_its_method_and_path() {
        let methods = super::methods();
        let spec = &methods["showMailbox"]["spec"];
        assert_eq!(spec["method"], "GET");
        assert_eq!(spec["path"], "/users/:user/mailboxes/:mailbox");
    }

    #[test]
    fn the_description_is_openapi_3_1_and_names_every_operation_once() {
        let text = super::document();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(value["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut ids = std::collections::BTreeSet::new();
        for (path, item) in value["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                assert!(ids.insert(id.clone()), "{method} {path}: {id} twice");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            }
        }
    }
}
