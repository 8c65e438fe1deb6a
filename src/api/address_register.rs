//! Whom a user has written to and heard from: complete, hide, rename; and renaming domains.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::{Blank, Unknown};
use super::problem::{ProblemView, RefusalView};
use super::reply::{Answer, Reply, Success};
use crate::auth::name::normal_domain;
use crate::model::id::ObjectId;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A contact.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ContactView {
    #[schema(example = "6ad9a3c2e1f0b1a2c3d4e5f6")]
    pub id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[schema(example = "berta@example.org")]
    pub address: String,
}

/// Contacts.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContactList {
    /// Always true.
    pub success: bool,
    /// The newest first.
    pub results: Vec<ContactView>,
}

/// What is changed of a contact.
#[derive(Debug, ToSchema)]
pub struct UpdateContactRequest {
    /// It is not shown.
    pub disabled: bool,
    /// Its name; may be empty.
    #[schema(max_length = 255)]
    pub name: Option<String>,
}

/// Complete an address
///
/// From those the user has written to and heard from.
#[utoipa::path(
    get, path = "/users/{user}/addressregister", tag = "Addresses",
    operation_id = "searchContacts",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("query" = String, Query, description = "Part of the address, or beginning of the name"),
        ("limit" = Option<u16>, Query, description = "Rows, 1 to 250", example = 20)
    ),
    responses(
        (status = 200, description = "Contacts", body = ContactList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn search(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let query = p.text("query", 255).required();
    let limit = p.integer("limit", 1..=250).or(20);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Addresses, Grant::Read, user)?;
    let found = ctx.directory.search_contacts(user, &query, limit).await?.into_iter();
    let results = found.map(|contact| ContactView {
        id: contact.id.to_string(),
        name: contact.name,
        address: contact.address,
    });
    Ok(Reply::json(&ContactList { success: true, results: results.collect() }))
}

/// Hide or rename a contact
#[utoipa::path(
    put, path = "/users/{user}/addressregister/{id}", tag = "Addresses",
    operation_id = "updateContact",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("id" = String, Path, description = "The contact's id")
    ),
    request_body = UpdateContactRequest,
    responses(
        (status = 200, description = "Changed; `success` is false for an unknown one",
            body = Success),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn update(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let id: ObjectId = p.id("id").required();
    p.session();
    let is_disabled = p.boolean("disabled").required();
    let name = p.text_or_empty("name", 255).optional();
    let caller = p.finish(Unknown::Rejected)?;
    // the grant the reference asks for is that of creating
    caller.authorize(Resource::Addresses, Grant::Create, user)?;
    let success = ctx.directory.update_contact(user, id, is_disabled, name.as_deref()).await?;
    Ok(Reply::json(&Success { success }))
}

/// A domain that was renamed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenamedDomain {
    /// Always true.
    pub success: bool,
    /// Addresses that were renamed.
    pub modified_addresses: u64,
    /// Users whose main address was renamed.
    pub modified_users: u64,
    /// Signing keys that were renamed.
    pub modified_dkim: u64,
    /// Aliases of the domain that lead to the new one.
    pub modified_aliases: u64,
}

/// What a domain is renamed from and to.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RenameDomainRequest {
    /// The domain as it is.
    #[schema(example = "example.com")]
    pub old_domain: String,
    /// The domain as it shall be.
    #[schema(example = "example.org")]
    pub new_domain: String,
}

/// Rename a domain everywhere
///
/// In addresses, main addresses, aliases and signing keys; not in usernames. An address that
/// exists at the new domain already stays as it is.
#[utoipa::path(
    put, path = "/addresses/renameDomain", tag = "Addresses", operation_id = "renameDomain",
    request_body = RenameDomainRequest,
    responses(
        (status = 200, description = "Renamed", body = RenamedDomain),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn rename_domain(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let domain = |value: &Value| {
        let text = value.as_str().filter(|text| text.chars().count() <= 255)?;
        normal_domain(text).ok()
    };
    let old = p.parsed("oldDomain", "must be a domain", domain).optional();
    let new = p.parsed("newDomain", "must be a domain", domain).optional();
    for (name, value) in [("oldDomain", &old), ("newDomain", &new)] {
        if value.is_none() {
            p.fail(name, format!("\"{name}\" is required"));
        }
    }
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Addresses, Grant::Update)?;
    let (old, new) = (old.unwrap_or_else(Blank::blank), new.unwrap_or_else(Blank::blank));
    let done = ctx.directory.rename_domain(&old, &new).await?;
    Ok(Reply::json(&RenamedDomain {
        success: true,
        modified_addresses: done.addresses,
        modified_users: done.users,
        modified_dkim: done.dkim,
        modified_aliases: done.aliases,
    }))
}
