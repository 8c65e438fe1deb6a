//! Filters, autoreplies, submission and webhooks: `tests/suite/rules.rs` walks them; here are
//! their rows.

use super::registry::{Row, row};

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
    row("listWebhooks", "{}"),
    row("createWebhook", r#"{"type":["*"],"url":"https://example.org/"}"#),
    row("deleteWebhook", "{}"),
];
