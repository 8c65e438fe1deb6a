//! How addresses look in answers.

use super::page::PageView;
use super::reply::{iso_date, json_value};
use super::user_view::LimitTtl;
use crate::model::filter::Autoreply;
use crate::model::profile::AddressEntry;
use crate::model::target::ForwardTarget;
use crate::model::window::WindowUse;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// An address in an answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressView {
    /// Identifier.
    #[schema(example = "6ad9a3c2e1f0b1a2c3d4e5f7")]
    pub id: String,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address, or a pattern with one `*`.
    #[schema(example = "anna@example.com")]
    pub address: String,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether it is the user's main address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main: Option<bool>,
    /// Whether it only forwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<bool>,
    /// Whether forwarding is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_disabled: Option<bool>,
    /// Where it forwards to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
    /// How much it may forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<ForwardLimits>,
    /// Its autoreply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoreply: Option<Value>,
    /// Tags.
    pub tags: Vec<String>,
    /// When it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// JSON of the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Value>,
    /// JSON of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_data: Option<Value>,
}

/// What an address without a user may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForwardLimits {
    /// Forwards in 24 hours.
    pub forwards: LimitTtl,
}

/// One address.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownAddress {
    /// Always true.
    pub success: bool,
    /// The address.
    #[serde(flatten)]
    pub address: AddressView,
}

/// All addresses of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserAddressList {
    /// Always true.
    pub success: bool,
    /// The addresses.
    pub results: Vec<AddressView>,
}

/// A page of addresses.
#[derive(Debug, Serialize, ToSchema)]
pub struct AddressList {
    /// Always true.
    pub success: bool,
    /// Paging.
    #[serde(flatten)]
    pub page: PageView,
    /// The search text.
    pub query: String,
    /// The addresses.
    pub results: Vec<AddressView>,
}

/// Targets as they were written.
pub fn target_texts(targets: &[ForwardTarget]) -> Vec<String> {
    targets.iter().map(|target| target.value.clone()).collect()
}

fn autoreply_view(autoreply: &Autoreply) -> Value {
    let at = |at: Option<i64>| at.map_or(json!(false), |at| json!(iso_date(at)));
    json!({
        "status": autoreply.is_enabled,
        "name": autoreply.name,
        "subject": autoreply.subject,
        "text": autoreply.text,
        "html": autoreply.html,
        "start": at(autoreply.start_ms),
        "end": at(autoreply.end_ms),
    })
}

impl AddressView {
    /// An address of a user, without what its list adds.
    pub fn new(entry: &AddressEntry, with_meta: bool, with_internal: bool) -> Self {
        let json = |text: &Option<String>| text.as_deref().and_then(json_value);
        Self {
            id: entry.id.to_string(),
            name: Some(entry.name.clone()).filter(|name| !name.is_empty()),
            address: entry.address.clone(),
            user: None,
            main: None,
            forwarded: None,
            forwarded_disabled: None,
            targets: None,
            limits: None,
            autoreply: None,
            tags: entry.tags.clone(),
            created: Some(iso_date(entry.created_ms)),
            meta_data: json(&entry.meta_data).filter(|_| with_meta),
            internal_data: json(&entry.internal_data).filter(|_| with_internal),
        }
    }

    /// A row of the list of all addresses.
    pub fn listed(entry: &AddressEntry, with_meta: bool, with_internal: bool) -> Self {
        let forwarding = entry.forwarding.as_ref();
        Self {
            user: entry.user.map(|user| user.to_string()),
            forwarded: Some(entry.user.is_none()),
            forwarded_disabled: Some(forwarding.is_some_and(|forwarding| forwarding.is_disabled)),
            targets: forwarding.map(|forwarding| target_texts(&forwarding.targets)),
            created: None,
            ..Self::new(entry, with_meta, with_internal)
        }
    }

    /// The same with what an address without a user does.
    pub fn with_forwarding(self, entry: &AddressEntry, usage: &WindowUse) -> Self {
        let forwarding = entry.forwarding.clone().unwrap_or_default();
        let autoreply = forwarding.autoreply.as_ref().map(autoreply_view);
        Self {
            targets: Some(target_texts(&forwarding.targets)),
            limits: Some(ForwardLimits { forwards: usage.into() }),
            autoreply: Some(autoreply.unwrap_or_else(|| json!({ "status": false }))),
            forwarded_disabled: Some(forwarding.is_disabled),
            ..self
        }
    }
}
