//! Filters, autoreplies, submission, audits, keys, webhooks: `tests/suite/rules.rs` and
//! `tests/suite/hooks.rs` walk them; here are their rows.

use super::registry::{Row, row};

/// A key and a certificate as texts: what they say is looked at after the privilege.
const CERT: &str = r#"{"servername":"a.example.com","privateKey":"x","cert":"y"}"#;

pub const ROWS: &[Row] = &[
    row("listAllFilters", "{}"),
    row("listFilters", "{}"),
    row("createFilter", r#"{"query":{"from":"x"},"action":{"seen":true}}"#),
    row("showFilter", "{}"),
    row("updateFilter", r#"{"disabled":true}"#),
    row("deleteFilter", "{}"),
    row("showAutoreply", "{}"),
    row("updateAutoreply", r#"{"status":true}"#),
    row("deleteAutoreply", "{}"),
    row("submitMessage", r#"{"to":[{"address":"a@example.org"}],"subject":"x","text":"y"}"#),
    row("submitDraft", "{}"),
    row("forwardMessage", r#"{"addresses":["a@example.org"]}"#),
    row("deleteOutbound", "{}"),
    row("createAudit", r#"{"user":"aaaaaaaaaaaaaaaaaaaaaaaa","expires":"2100-01-01"}"#),
    row("showAudit", "{}"),
    row("exportAudit", "{}"),
    row("listCerts", "{}"),
    row("updateCert", CERT),
    row("resolveCert", "{}"),
    row("showCert", "{}"),
    row("deleteCert", "{}"),
    row("listDkimKeys", "{}"),
    row("updateDkimKey", r#"{"domain":"example.com","selector":"x"}"#),
    row("resolveDkimKey", "{}"),
    row("showDkimKey", "{}"),
    row("deleteDkimKey", "{}"),
    row("listWebhooks", "{}"),
    row("createWebhook", r#"{"type":["*"],"url":"https://example.org/"}"#),
    row("deleteWebhook", "{}"),
];
