//! Messages over the API: `tests/judges/api_journey.py` walks them; here are their rows.

use super::registry::{Row, row};

pub const ROWS: &[Row] = &[
    row("listMessages", "{}"),
    row("updateMessages", r#"{"message":"1","seen":true}"#),
    row("uploadMessage", r#"{"subject":"hello"}"#),
    row("deleteMessages", "{}"),
    row("showMessage", "{}"),
    row("updateMessage", r#"{"seen":true}"#),
    row("deleteMessage", "{}"),
    row("showAttachment", "{}"),
    row("showMessageSource", "{}"),
];
