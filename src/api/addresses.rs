//! Addresses of users: list, create, show, change, delete; the list of all, and resolving.

use super::Context;
use super::access::{Grant, Resource};
use super::address_view::{AddressList, AddressView, ShownAddress, UserAddressList};
use super::extract::Call;
use super::listing::{Listing, own_only};
use super::page::Position;
use super::params::{Params, Unknown};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Created, Reply, Success};
use crate::directory::address::PATTERN_AS_MAIN;
use crate::directory::address::{AddressFilter, NewAddress};
use crate::directory::user::Around;
use crate::model::address::EmailAddress;
use crate::model::error::Error;
use crate::model::id::AddressId;
use crate::model::profile::{AddressEntry, AddressUpdate, normal_tags};
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use utoipa::ToSchema;

/// List all addresses
///
/// In order of their lookup forms. A user's own token shows that user's addresses only.
#[utoipa::path(
    get, path = "/addresses", tag = "Addresses", operation_id = "listAllAddresses",
    params(
        ("query" = Option<String>, Query, description = "Substring of the address"),
        ("forward" = Option<String>, Query, description = "Substring of a target"),
        ("tags" = Option<String>, Query, description = "Comma list; any of these tags"),
        ("requiredTags" = Option<String>, Query, description = "Comma list; all of these tags"),
        ("metaData" = Option<bool>, Query, description = "Show metaData"),
        ("internalData" = Option<bool>, Query, description = "Show internalData"),
        ("limit" = Option<u16>, Query, description = "Rows of a page, 1 to 250", example = 20),
        ("next" = Option<String>, Query, description = "nextCursor of the page before"),
        ("previous" = Option<String>, Query, description = "previousCursor of the page after")
    ),
    responses(
        (status = 200, description = "One page", body = AddressList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list_all(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let query = p.text("query", 255).optional();
    let forward = p.text("forward", 255).optional();
    let Listing { tags, required_tags, with_meta, with_internal, page } = Listing::read(&mut p);
    let caller = p.finish(Unknown::Ignored)?;
    let only = own_only(&caller, Resource::AddressListing)?;
    let (position, number) = page.position()?;
    let around = match &position {
        Position::Start => Around::Start,
        Position::After(key) => Around::After(key.as_str()),
        Position::Before(key) => Around::Before(key.as_str()),
    };
    let filter = AddressFilter { query: query.clone(), forward, tags, required_tags, only };
    let found = ctx.directory.list_all_addresses(&filter, around, page.limit).await?;
    let key = |index: Option<&AddressEntry>| Some(index?.lookup.clone());
    let keys = key(found.rows.first()).zip(key(found.rows.last()));
    let with_internal = with_internal && caller.sees_internal_fields();
    let row = |entry: &AddressEntry| AddressView::listed(entry, with_meta, with_internal);
    Ok(Reply::json(&AddressList {
        success: true,
        page: page.view(found.total, number, keys, found.has_more),
        query: query.unwrap_or_default(),
        results: found.rows.iter().map(row).collect(),
    }))
}

/// List a user's addresses
#[utoipa::path(
    get, path = "/users/{user}/addresses", tag = "Addresses", operation_id = "listAddresses",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("metaData" = Option<bool>, Query, description = "Show metaData"),
        ("internalData" = Option<bool>, Query, description = "Show internalData")
    ),
    responses(
        (status = 200, description = "All of them", body = UserAddressList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let with_meta = p.boolean("metaData").or(false);
    let with_internal = p.boolean("internalData").or(false);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Addresses, Grant::Read, user)?;
    let main = ctx.directory.load_user(user).await?.user.address;
    let with_internal = with_internal && caller.sees_internal_fields();
    let row = |entry: &AddressEntry| AddressView {
        main: Some(entry.address == main),
        ..AddressView::new(entry, with_meta, with_internal)
    };
    let results = ctx.directory.list_addresses(user).await?.iter().map(row).collect();
    Ok(Reply::json(&UserAddressList { success: true, results }))
}

/// What an address is created from.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct CreateAddressRequest {
    /// `*@domain`, `*suffix@domain`, `prefix*@domain` and `user@*` with `allowWildcard`.
    #[schema(example = "anna.example@example.com")]
    pub address: String,
    #[schema(max_length = 128)]
    pub name: Option<String>,
    /// Make it the main address.
    pub main: Option<bool>,
    pub allow_wildcard: Option<bool>,
    pub tags: Option<Vec<String>>,
    pub meta_data: Option<Value>,
    pub internal_data: Option<Value>,
}

/// Add an address to a user
///
/// The first one becomes the main address.
#[utoipa::path(
    post, path = "/users/{user}/addresses", tag = "Addresses", operation_id = "createAddress",
    params(("user" = String, Path, description = "The user's id, or `me`")),
    request_body = CreateAddressRequest,
    responses(
        (status = 200, description = "Created", body = Created),
        (status = 400, description = "Refused, or `AddressExistsError`", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`", body = ProblemView)
    )
)]
pub async fn create(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    p.session();
    let address = p.text("address", 320).required();
    let is_main = p.boolean("main").or(false);
    let allows_pattern = p.boolean("allowWildcard").or(false);
    let mut update = update_of(&mut p);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Addresses, Grant::Create, user)?;
    if !caller.sees_internal_fields() {
        update.internal_data = None;
    }
    let new = NewAddress { address, allows_pattern, is_main, update };
    Ok(Reply::created(ctx.directory.create_address(user, new).await?))
}

pub(super) fn update_of(p: &mut Params) -> AddressUpdate {
    AddressUpdate {
        name: p.text_or_empty("name", 128).optional(),
        tags: p.texts("tags", 128).optional().map(|tags| normal_tags(&tags)),
        meta_data: p.json("metaData").optional(),
        internal_data: p.json("internalData").optional(),
        forwarding: None,
    }
}

/// Show an address of a user
#[utoipa::path(
    get, path = "/users/{user}/addresses/{address}", tag = "Addresses",
    operation_id = "showAddress",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("address" = String, Path, description = "The address's id")
    ),
    responses(
        (status = 200, description = "The address", body = ShownAddress),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`, `AddressNotFound`", body = ProblemView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let address: AddressId = p.id("address").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Addresses, Grant::Read, user)?;
    let main = ctx.directory.load_user(user).await?.user.address;
    let entry = ctx.directory.load_address(user, address).await?;
    let address = AddressView {
        main: Some(entry.address == main),
        ..AddressView::new(&entry, true, caller.sees_internal_fields())
    };
    Ok(Reply::json(&ShownAddress { success: true, address }))
}

/// What a change of an address may hold; everything is optional.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(missing_docs, reason = "documentation of the body only")]
pub struct UpdateAddressRequest {
    /// A new address instead of this one; not for patterns.
    pub address: Option<String>,
    #[schema(max_length = 128)]
    pub name: Option<String>,
    /// True makes it the main address; false is refused.
    pub main: Option<bool>,
    pub tags: Option<Vec<String>>,
    pub meta_data: Option<Value>,
    pub internal_data: Option<Value>,
}

/// Change an address of a user
///
/// Renaming the main address renames it in the user, too.
#[utoipa::path(
    put, path = "/users/{user}/addresses/{address}", tag = "Addresses",
    operation_id = "updateAddress",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("address" = String, Path, description = "The address's id")
    ),
    request_body = UpdateAddressRequest,
    responses(
        (status = 200, description = "Changed", body = Success),
        (status = 400, description = "Refused, `ChangeNotAllowed`, `WildcardNotPermitted`, \
            `AddressExistsError`",
            body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`, `AddressNotFound`", body = ProblemView)
    )
)]
pub async fn update(State(ctx): State<Context>, mut call: Call) -> Answer {
    // the path's name is also the name of the new address in the body
    let renamed = call.overridden.remove("address");
    let mut p = call.params;
    let user = p.user();
    let address: AddressId = p.id("address").required();
    p.session();
    let renamed = renamed_of(&mut p, renamed);
    let main = p.boolean("main").optional();
    if main == Some(false) {
        p.fail("main", "\"main\" can be set to true only");
    }
    let mut update = update_of(&mut p);
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Addresses, Grant::Update, user)?;
    if !caller.sees_internal_fields() {
        update.internal_data = None;
    }
    let becomes_main = main == Some(true);
    let changed =
        ctx.directory.update_address(user, address, update, renamed.as_deref(), becomes_main);
    changed.await.map_err(|error| match error {
        Error::Forbidden { reason: PATTERN_AS_MAIN } => forbidden_as(error, "WildcardNotPermitted"),
        error => forbidden_as(error, "ChangeNotAllowed"),
    })?;
    Ok(Reply::success())
}

/// The new address of a body, whose name the path has, too.
pub(super) fn renamed_of(p: &mut Params, sent: Option<Value>) -> Option<String> {
    match sent {
        None => None,
        Some(Value::String(text)) => Some(text).filter(|text| !text.is_empty()),
        Some(_) => {
            p.fail("address", "\"address\" must be an address");
            None
        }
    }
}

/// What is forbidden here by the address's nature is 400 with a code of its own.
pub(super) fn forbidden_as(error: Error, code: &str) -> Problem {
    match error {
        Error::Forbidden { reason } => Problem::new(StatusCode::BAD_REQUEST, code, reason),
        other => other.into(),
    }
}

/// Delete an address of a user
///
/// Not the main address.
#[utoipa::path(
    delete, path = "/users/{user}/addresses/{address}", tag = "Addresses",
    operation_id = "deleteAddress",
    params(
        ("user" = String, Path, description = "The user's id, or `me`"),
        ("address" = String, Path, description = "The address's id")
    ),
    responses(
        (status = 200, description = "Deleted", body = Success),
        (status = 400, description = "Refused, or `NotPermitted`", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`UserNotFound`, `AddressNotFound`", body = ProblemView)
    )
)]
pub async fn delete(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let user = p.user();
    let address: AddressId = p.id("address").required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize(Resource::Addresses, Grant::Delete, user)?;
    let deleted = ctx.directory.delete_address(user, address).await;
    deleted.map_err(|error| forbidden_as(error, "NotPermitted"))?;
    Ok(Reply::success())
}

/// Find whose an address is
///
/// By id, exactly (dots and `+label` do not count), or with `allowWildcard` by the best pattern.
#[utoipa::path(
    get, path = "/addresses/resolve/{address}", tag = "Addresses",
    operation_id = "resolveAddress",
    params(
        ("address" = String, Path, description = "Address or its id"),
        ("allowWildcard" = Option<bool>, Query, description = "Look at patterns, too")
    ),
    responses(
        (status = 200, description = "The address", body = ShownAddress),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView),
        (status = 404, description = "`AddressNotFound`", body = ProblemView)
    )
)]
pub async fn resolve(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let text = p.text("address", 320).required();
    let with_patterns = p.boolean("allowWildcard").or(false);
    p.session();
    let id = text.to_ascii_lowercase().parse::<AddressId>().ok();
    let address = EmailAddress::new(&text).ok();
    if id.is_none() && address.is_none() {
        p.fail("address", "\"address\" must be an address or an id");
    }
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Addresses, Grant::Read)?;
    let found = match (id, address) {
        (Some(id), _) => ctx.directory.find_address(id).await?,
        (None, Some(_)) if text.contains('*') => ctx.directory.find_pattern(&text).await?,
        (None, Some(address)) => ctx.directory.resolve_address(&address, with_patterns).await?,
        (None, None) => None,
    };
    let entry = found.ok_or(Error::NotFound { what: "address" })?;
    let address = resolved_view(&ctx, &entry, caller.sees_internal_fields()).await?;
    Ok(Reply::json(&ShownAddress { success: true, address }))
}

/// The address of a user, or an address that only forwards with what it does.
async fn resolved_view(
    ctx: &Context,
    entry: &AddressEntry,
    with_internal: bool,
) -> Result<AddressView, Problem> {
    let view = AddressView::new(entry, true, with_internal);
    if let Some(user) = entry.user {
        return Ok(AddressView { user: Some(user.to_string()), name: None, ..view });
    }
    let usage = ctx.directory.forwards_of_address(entry).await?;
    Ok(view.with_forwarding(entry, &usage))
}
