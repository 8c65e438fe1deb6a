//! Targets of forwarding as values of documents: `{type, value}`, type `mail`, `relay` or `http`.

use crate::model::target::{ForwardTarget, TargetKind};
use bson::{Bson, Document, doc};

/// One target.
pub fn target(target: &ForwardTarget) -> Document {
    doc! { "type": target.kind.name(), "value": &target.value }
}

/// A list of targets.
pub fn targets(list: &[ForwardTarget]) -> Bson {
    Bson::Array(list.iter().map(|one| Bson::Document(target(one))).collect())
}

/// Reads one; nothing if it is none.
pub fn get_target(document: &Document) -> Option<ForwardTarget> {
    let kind = TargetKind::from_name(document.get_str("type").ok()?)?;
    Some(ForwardTarget { kind, value: document.get_str("value").ok()?.to_owned() })
}

/// Reads a list; what is none is passed over.
pub fn get_targets(document: &Document, key: &str) -> Vec<ForwardTarget> {
    let Ok(items) = document.get_array(key) else { return Vec::new() };
    items.iter().filter_map(|item| get_target(item.as_document()?)).collect()
}
