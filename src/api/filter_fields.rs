//! Rules as they are sent and shown (`reference/http-api.md` §0.10).

use super::params::{LIST_ITEMS_MAX, Params, boolean_of, integer_of};
use crate::model::filter::{FilterAction, FilterQuery};
use crate::model::target::ForwardTarget;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Characters of a condition.
const CONDITION_CHARS_MAX: usize = 255;

/// What a message has to be like.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the conditions by their names")]
pub struct FilterQueryView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Only `true` asks for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ha: Option<bool>,
    /// Octets: larger than a positive number, smaller than a negative one's absolute value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
}

/// What happens to a message that matches.
#[derive(Debug, Default, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the actions by their names")]
pub struct FilterActionView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spam: Option<bool>,
    /// Mailbox id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// Addresses and URLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<String>>,
}

impl FilterQueryView {
    /// The view of a query.
    pub fn new(query: &FilterQuery) -> Self {
        Self {
            from: query.from.clone(),
            to: query.to.clone(),
            subject: query.subject.clone(),
            list_id: query.list_id.clone(),
            text: query.text.clone(),
            ha: query.has_attachments,
            size: query.size,
        }
    }
}

impl FilterActionView {
    /// The view of an action.
    pub fn new(action: &FilterAction) -> Self {
        let values = |targets: &[ForwardTarget]| targets.iter().map(|t| t.value.clone()).collect();
        Self {
            seen: action.seen,
            flag: action.flag,
            delete: action.delete,
            spam: action.spam,
            mailbox: action.mailbox.map(|mailbox| mailbox.to_string()),
            targets: Some(&action.targets).filter(|t| !t.is_empty()).map(|t| values(t)),
        }
    }
}

/// A query in words: label and value.
pub fn query_labels(query: &FilterQuery) -> Vec<Value> {
    let mut labels = Vec::new();
    for (label, value) in [
        ("from", &query.from),
        ("to", &query.to),
        ("subject", &query.subject),
        ("listId", &query.list_id),
    ] {
        labels.extend(value.as_ref().map(|value| json!([label, format!("({value})")])));
    }
    if query.has_attachments == Some(true) {
        labels.push(json!(["has attachment"]));
    }
    labels.extend(query.text.as_ref().map(|text| json!(["text", format!("\"{text}\"")])));
    match query.size {
        Some(size) if size > 0 => labels.push(json!(["larger", size])),
        Some(size) if size < 0 => labels.push(json!(["smaller", size.unsigned_abs()])),
        _ => {}
    }
    labels
}

/// An action in words: label and, of some, a value.
pub fn action_labels(action: &FilterAction) -> Vec<Value> {
    let mut labels = Vec::new();
    for (value, yes, no) in [
        (action.seen, "mark as read", "do not mark as read"),
        (action.flag, "flag it", "do not flag it"),
        (action.spam, "mark it as spam", "do not mark it as spam"),
        (action.delete, "delete it", "do not delete it"),
    ] {
        labels.extend(value.map(|value| json!([if value { yes } else { no }])));
    }
    labels.extend(action.mailbox.map(|mailbox| json!(["move to folder", mailbox.to_string()])));
    if !action.targets.is_empty() {
        let values: Vec<&str> = action.targets.iter().map(|target| target.value.as_str()).collect();
        labels.push(json!(["forward to", values.join(", ")]));
    }
    labels
}

/// Reads a rule's parameter that is an object; its fields.
fn fields(p: &mut Params, name: &str) -> Map<String, Value> {
    p.object(name).optional().unwrap_or_default()
}

/// Whether a value says "none".
fn is_none(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// One field: absent leaves what there is, `null` and empty text remove it.
fn apply<T>(
    p: &mut Params,
    sent: &mut Map<String, Value>,
    path: (&str, &str),
    slot: &mut Option<T>,
    read: impl FnOnce(&Value) -> Option<T>,
    expected: &str,
) {
    let Some(value) = sent.remove(path.1) else { return };
    *slot = if is_none(&value) { None } else { read(&value) };
    if slot.is_none() && !is_none(&value) {
        p.fail(&format!("{},{}", path.0, path.1), format!("\"{}\" {expected}", path.1));
    }
}

fn refuse_others(p: &mut Params, parent: &str, left: &Map<String, Value>) {
    for name in left.keys() {
        p.fail(&format!("{parent},{name}"), format!("\"{name}\" is not allowed"));
    }
}

fn condition(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (text.chars().count() <= CONDITION_CHARS_MAX).then(|| text.to_owned())
}

/// Changes a query by the parameter `query`.
pub fn apply_query(p: &mut Params, query: &mut FilterQuery) {
    let mut sent = fields(p, "query");
    let text = "must be text of at most 255 characters";
    for (name, slot) in [
        ("from", &mut query.from),
        ("to", &mut query.to),
        ("subject", &mut query.subject),
        ("listId", &mut query.list_id),
        ("text", &mut query.text),
    ] {
        apply(p, &mut sent, ("query", name), slot, condition, text);
        if slot.as_deref() == Some("") {
            *slot = None;
        }
    }
    let slot = &mut query.has_attachments;
    apply(p, &mut sent, ("query", "ha"), slot, boolean_of, "must be a boolean");
    let slot = &mut query.size;
    apply(p, &mut sent, ("query", "size"), slot, integer_of, "must be a whole number");
    refuse_others(p, "query", &sent);
}

/// Changes an action by the parameter `action`.
pub fn apply_action(p: &mut Params, action: &mut FilterAction) {
    let mut sent = fields(p, "action");
    for (name, slot) in [
        ("seen", &mut action.seen),
        ("flag", &mut action.flag),
        ("delete", &mut action.delete),
        ("spam", &mut action.spam),
    ] {
        apply(p, &mut sent, ("action", name), slot, boolean_of, "must be a boolean");
    }
    let id = |value: &Value| value.as_str().and_then(|text| text.to_ascii_lowercase().parse().ok());
    let expected = "must be 24 hexadecimal digits";
    apply(p, &mut sent, ("action", "mailbox"), &mut action.mailbox, id, expected);
    apply_targets(p, sent.remove("targets"), &mut action.targets);
    refuse_others(p, "action", &sent);
}

fn read_target(index: usize, item: &Value) -> Result<ForwardTarget, String> {
    let read = |item: &Value| ForwardTarget::new(item.as_str()?).ok();
    read(item).ok_or_else(|| format!("action,targets,{index}"))
}

/// A list of targets instead of those there are.
fn apply_targets(p: &mut Params, sent: Option<Value>, slot: &mut Vec<ForwardTarget>) {
    let Some(sent) = sent else { return };
    let none = Vec::new();
    let items = if is_none(&sent) { Some(&none) } else { sent.as_array() };
    let items = items.filter(|items| items.len() <= LIST_ITEMS_MAX);
    let read = items.ok_or_else(|| "action,targets".to_owned()).and_then(|items| {
        let mut targets: Vec<ForwardTarget> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let target = read_target(index, item)?;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        Ok(targets)
    });
    match read {
        Ok(targets) => *slot = targets,
        Err(path) => {
            let expected = "must be a list of addresses and smtp, smtps, http or https URLs";
            p.fail(&path, format!("\"targets\" {expected}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::access::Caller;
    use super::super::params::Unknown;
    use super::*;
    use std::collections::BTreeMap;

    fn read(values: Value) -> (FilterQuery, FilterAction, Vec<String>) {
        let Value::Object(values) = values else { panic!("an object") };
        let mut p = Params::new(Caller::root(), values, BTreeMap::new(), None);
        let mut query = FilterQuery { from: Some("old".into()), ..FilterQuery::default() };
        let mut action = FilterAction { seen: Some(true), ..FilterAction::default() };
        apply_query(&mut p, &mut query);
        apply_action(&mut p, &mut action);
        let failed = match p.finish(Unknown::Rejected) {
            Ok(_) => Vec::new(),
            Err(problem) => problem.body["details"].as_object().unwrap().keys().cloned().collect(),
        };
        (query, action, failed)
    }

    #[test]
    fn what_is_sent_changes_and_empty_values_remove() {
        let (query, action, failed) = read(json!({
            "query": {"subject": " x ", "ha": "yes", "size": "-5"},
            "action": {"spam": null, "mailbox": "", "targets": ["a@b.example", "a@b.example"]}
        }));
        assert!(failed.is_empty(), "{failed:?}");
        assert_eq!((query.from.as_deref(), query.subject.as_deref()), (Some("old"), Some("x")));
        assert_eq!((query.has_attachments, query.size), (Some(true), Some(-5)));
        assert_eq!((action.seen, action.spam, action.targets.len()), (Some(true), None, 1));
        let (query, action, _) = read(json!({"query": {"from": ""}, "action": {"seen": null}}));
        assert_eq!((query.from, action.seen), (None, None));
    }

    #[test]
    fn mistakes_are_named_by_their_path() {
        let (_, _, failed) = read(json!({
            "query": {"from": 5, "x": 1, "size": "big"},
            "action": {"mailbox": "no", "targets": ["nowhere"], "seen": "maybe"}
        }));
        let expected = [
            "action,mailbox",
            "action,seen",
            "action,targets,0",
            "query,from",
            "query,size",
            "query,x",
        ];
        assert_eq!(failed, expected);
    }
}
