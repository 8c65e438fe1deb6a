//! Pages of listings and the cursors between them (`reference/http-api.md` §0.6).
//!
//! A cursor is opaque to clients: base64url of the JSON `[key, page number]`, where the key is the
//! text an operation gave for the first or last row.

use super::problem::Problem;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;

/// What page the client asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// Rows of a page.
    pub limit: usize,
    /// Cursor of the following page; wins over `previous`.
    pub next: Option<String>,
    /// Cursor of the page before.
    pub previous: Option<String>,
}

/// From where and in which direction rows are read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Position {
    /// From the first row.
    Start,
    /// Rows after this key.
    After(String),
    /// Rows before this key.
    Before(String),
}

/// A cursor in an answer: text, or `false` where there is no such page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Cursor {
    /// The cursor.
    At(String),
    /// `false`.
    Nowhere(bool),
}

/// The paging fields of an answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageView {
    /// Rows of all pages together.
    pub total: u64,
    /// This page's number, from 1.
    pub page: u64,
    /// Cursor of the page before, or `false`.
    pub previous_cursor: Cursor,
    /// Cursor of the following page, or `false`.
    pub next_cursor: Cursor,
}

impl PageRequest {
    /// Where to read and the number of the page.
    ///
    /// # Errors
    /// A cursor we did not make: 500 `InternalDatabaseError`, as the reference has it.
    pub fn position(&self) -> Result<(Position, u64), Problem> {
        if let Some(cursor) = &self.next {
            let (key, page) = read_cursor(cursor)?;
            return Ok((Position::After(key), page));
        }
        if let Some(cursor) = &self.previous {
            let (key, page) = read_cursor(cursor)?;
            return Ok((Position::Before(key), page));
        }
        Ok((Position::Start, 1))
    }

    /// The paging fields, given the keys of the first and last row and whether more rows follow in
    /// the direction of reading.
    pub fn view(
        &self,
        total: u64,
        page: u64,
        keys: Option<(String, String)>,
        has_more: bool,
    ) -> PageView {
        let backwards = self.next.is_none() && self.previous.is_some();
        let forwards = self.next.is_some();
        let has_next = backwards || has_more;
        let has_previous = if backwards { has_more } else { forwards };
        let (previous, next) = match keys {
            Some((first, last)) => (
                has_previous.then(|| write_cursor(&first, page.saturating_sub(1).max(1))),
                has_next.then(|| write_cursor(&last, page + 1)),
            ),
            None => (None, None),
        };
        let cursor = |text: Option<String>| text.map_or(Cursor::Nowhere(false), Cursor::At);
        PageView { total, page, previous_cursor: cursor(previous), next_cursor: cursor(next) }
    }
}

fn write_cursor(key: &str, page: u64) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::json!([key, page]).to_string())
}

fn read_cursor(cursor: &str) -> Result<(String, u64), Problem> {
    let octets = URL_SAFE_NO_PAD.decode(cursor).ok();
    let value = octets.and_then(|octets| serde_json::from_slice::<Value>(&octets).ok());
    let parts = value.as_ref().and_then(Value::as_array).map(Vec::as_slice);
    match parts {
        Some([Value::String(key), Value::Number(page)]) => {
            Ok((key.clone(), page.as_u64().unwrap_or(1).clamp(1, 1 << 40)))
        }
        _ => Err(foreign_cursor()),
    }
}

/// The answer to a cursor we did not make: 500, as the reference has it.
pub fn foreign_cursor() -> Problem {
    let text = "The cursor is not one of this server";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalDatabaseError", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_lead_forth_and_back() {
        let first = PageRequest { limit: 2, next: None, previous: None };
        assert_eq!(first.position().unwrap(), (Position::Start, 1));
        let view = first.view(3, 1, Some(("a".into(), "b".into())), true);
        assert_eq!(view.previous_cursor, Cursor::Nowhere(false));
        let Cursor::At(next) = view.next_cursor else { panic!("a next page") };
        let second = PageRequest { limit: 2, next: Some(next), previous: None };
        assert_eq!(second.position().unwrap(), (Position::After("b".into()), 2));
        let view = second.view(3, 2, Some(("c".into(), "c".into())), false);
        assert_eq!(view.next_cursor, Cursor::Nowhere(false));
        let Cursor::At(previous) = view.previous_cursor else { panic!("a page before") };
        let back = PageRequest { limit: 2, next: None, previous: Some(previous) };
        assert_eq!(back.position().unwrap(), (Position::Before("c".into()), 1));
        let bad = PageRequest { limit: 2, next: Some("AAAA".into()), previous: None };
        assert!(bad.position().is_err());
    }
}
