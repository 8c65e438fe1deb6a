//! Settings of the whole store that operators change while it runs.

use super::Context;
use super::access::{Grant, Resource};
use super::extract::Call;
use super::params::{Unknown, boolean_of, integer_of};
use super::problem::{Problem, ProblemView, RefusalView};
use super::reply::{Answer, Reply};
use crate::model::setting::{Setting, SettingKind, SettingValue};
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SettingRow {
    #[schema(example = "const:max:storage")]
    pub key: &'static str,
    /// A number, text or boolean.
    pub value: Value,
    pub name: &'static str,
    pub description: &'static str,
    /// The value without anybody's change.
    pub default: Value,
    /// `duration` (milliseconds), `size` (octets), `number`, `string`, `boolean`
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether somebody set it.
    pub custom: bool,
}

/// All settings.
#[derive(Debug, Serialize, ToSchema)]
pub struct SettingList {
    /// Always true.
    pub success: bool,
    /// The search text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The settings in order of their keys.
    pub settings: Vec<SettingRow>,
}

/// A setting's value, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownSetting {
    /// False for an unknown key.
    pub success: bool,
    /// The key.
    pub key: String,
    /// The value in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
}

/// A setting that was set.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedSetting {
    /// Always true.
    pub success: bool,
    /// The key.
    pub key: &'static str,
}

/// A new value.
#[derive(Debug, ToSchema)]
pub struct SetSettingRequest {
    /// A number, text or boolean, as the setting has it.
    #[schema(example = 1_073_741_824)]
    pub value: Value,
}

fn value_of(value: &SettingValue) -> Value {
    match value {
        SettingValue::Number(number) => json!(number),
        SettingValue::Text(text) => json!(text),
        SettingValue::Boolean(value) => json!(value),
    }
}

/// List settings
#[utoipa::path(
    get, path = "/settings", tag = "Settings", operation_id = "listSettings",
    params(("filter" = Option<String>, Query, description = "Substring of key, name or text")),
    responses(
        (status = 200, description = "The settings", body = SettingList),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn list(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    p.session();
    let filter = p.text("filter", 128).optional();
    let caller = p.finish(Unknown::Ignored)?;
    caller.authorize_any(Resource::Settings, Grant::Read)?;
    let wanted = filter.as_deref().unwrap_or_default().to_lowercase();
    let rows = ctx.directory.list_settings().await?.into_iter();
    let rows = rows.filter(|(row, _, _)| {
        [row.key, row.name, row.text].iter().any(|text| text.to_lowercase().contains(&wanted))
    });
    let settings = rows.map(|(row, value, custom)| SettingRow {
        key: row.key,
        value: value_of(&value),
        name: row.name,
        description: row.text,
        default: value_of(&row.default_value()),
        kind: row.kind.name(),
        custom,
    });
    Ok(Reply::json(&SettingList { success: true, settings: settings.collect(), filter }))
}

/// Set a setting
///
/// In force on this node at once, on the others within seconds.
#[utoipa::path(
    post, path = "/settings/{key}", tag = "Settings", operation_id = "setSetting",
    params(("key" = String, Path, description = "The setting's key")),
    request_body = SetSettingRequest,
    responses(
        (status = 200, description = "Set", body = ChangedSetting),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn set(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let key = p.text("key", 128).required();
    let sent = p.take("value");
    p.session();
    let row = Setting::of(&key);
    if row.is_none() {
        p.fail("key", "\"key\" must be one of the settings");
    }
    let value = row.zip(sent.as_ref()).and_then(|(row, sent)| match row.kind {
        SettingKind::Boolean => boolean_of(sent).map(SettingValue::Boolean),
        SettingKind::Text => sent.as_str().map(|text| SettingValue::Text(text.to_owned())),
        _ => integer_of(sent).map(SettingValue::Number),
    });
    let value = value.filter(|value| row.is_some_and(|row| row.accepts(value)));
    match (&sent, &value) {
        (None, _) => p.fail("value", "\"value\" is required"),
        (Some(_), None) => p.fail("value", "\"value\" is not a value of this setting"),
        (Some(_), Some(_)) => {}
    }
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Settings, Grant::Create)?;
    let (Some(row), Some(value)) = (row, value) else {
        return Err(Problem::invalid("value", "\"value\" is required"));
    };
    ctx.directory.set_setting(row, &value).await?;
    Ok(Reply::json(&ChangedSetting { success: true, key: row.key }))
}

/// Show a setting
#[utoipa::path(
    get, path = "/settings/{key}", tag = "Settings", operation_id = "showSetting",
    params(("key" = String, Path, description = "The setting's key")),
    responses(
        (status = 200, description = "The value, or `success` false", body = ShownSetting),
        (status = 400, description = "A parameter was refused", body = ProblemView),
        (status = 403, description = "Not permitted, or no valid token", body = RefusalView)
    )
)]
pub async fn show(State(ctx): State<Context>, call: Call) -> Answer {
    let mut p = call.params;
    let key = p.text("key", 128).required();
    p.session();
    let caller = p.finish(Unknown::Rejected)?;
    caller.authorize_any(Resource::Settings, Grant::Read)?;
    let view = match Setting::of(&key) {
        Some(row) => {
            let value = Some(value_of(&ctx.directory.find_setting(row.setting).await?));
            ShownSetting { success: true, key, value, error: None }
        }
        None => ShownSetting { success: false, key, value: None, error: Some("Key was not found") },
    };
    Ok(Reply::json(&view))
}
