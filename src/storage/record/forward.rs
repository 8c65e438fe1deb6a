//! What an address without a user does, inside its document.

use crate::model::filter::Autoreply;
use crate::model::forward::Forwarding;
use crate::storage::field::{date, get_count, get_ms, int};
use crate::storage::target::{get_targets, targets};
use bson::{Document, doc};

/// The fields of an address without a user.
pub(in crate::storage) fn fields(forwarding: &Forwarding) -> Document {
    let mut fields = doc! {
        "targets": targets(&forwarding.targets),
        "forwards": int(forwarding.forwards_max),
        "forwardedDisabled": forwarding.is_disabled,
    };
    if let Some(autoreply) = &forwarding.autoreply {
        fields.insert("autoreply", document(autoreply));
    }
    fields
}

/// Reads them; `None`: the address belongs to a user.
pub(in crate::storage) fn read(document: &Document) -> Option<Forwarding> {
    document.contains_key("targets").then(|| Forwarding {
        targets: get_targets(document, "targets"),
        forwards_max: get_count(document, "forwards"),
        autoreply: document.get_document("autoreply").ok().map(autoreply),
        is_disabled: document.get_bool("forwardedDisabled").unwrap_or(false),
    })
}

fn document(autoreply: &Autoreply) -> Document {
    let mut document = doc! {
        "status": autoreply.is_enabled,
        "name": &autoreply.name,
        "subject": &autoreply.subject,
        "text": &autoreply.text,
        "html": &autoreply.html,
        "created": date(autoreply.created_ms),
    };
    for (key, at) in [("start", autoreply.start_ms), ("end", autoreply.end_ms)] {
        if let Some(at) = at {
            document.insert(key, date(at));
        }
    }
    document
}

fn autoreply(document: &Document) -> Autoreply {
    let text = |key: &str| document.get_str(key).unwrap_or_default().to_owned();
    let at = |key: &str| document.contains_key(key).then(|| get_ms(document, key));
    Autoreply {
        is_enabled: document.get_bool("status").unwrap_or(false),
        name: text("name"),
        subject: text("subject"),
        text: text("text"),
        html: text("html"),
        start_ms: at("start"),
        end_ms: at("end"),
        created_ms: get_ms(document, "created"),
    }
}
