//! What a message says of its mailing list (RFC 2369, RFC 2919).

use super::message_view::NamedAddressView;
use crate::codec::mime::fields::Fields;
use serde::Serialize;
use utoipa::ToSchema;

/// List header fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListView {
    /// List-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<NamedAddressView>,
    /// The URLs of List-Unsubscribe, as `address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<Vec<NamedAddressView>>,
}

impl ListView {
    /// What the header says; `None`: nothing.
    pub fn of(fields: &Fields) -> Option<Self> {
        let view = Self {
            id: fields.text("list-id").map(list_id),
            unsubscribe: fields.text("list-unsubscribe").map(list_urls),
        };
        (view != Self::default()).then_some(view)
    }
}

/// RFC 2919 §3: `[phrase] "<" list-id ">"`; what has no brackets is the id.
fn list_id(text: &str) -> NamedAddressView {
    match text.split_once('<') {
        Some((name, rest)) => NamedAddressView {
            name: name.trim().trim_matches('"').to_owned(),
            address: rest.split('>').next().unwrap_or_default().trim().to_owned(),
        },
        None => NamedAddressView { name: String::new(), address: text.trim().to_owned() },
    }
}

/// RFC 2369 §2: URLs in angle brackets; whatever stands around them is a comment. Some write one
/// without brackets.
fn list_urls(text: &str) -> Vec<NamedAddressView> {
    let bracketed = text.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0));
    let mut urls: Vec<&str> = bracketed.map(str::trim).filter(|url| !url.is_empty()).collect();
    if urls.is_empty() {
        let is_url = |part: &&str| part.contains(':') && !part.contains(char::is_whitespace);
        urls.extend(text.split(',').map(str::trim).filter(is_url));
    }
    urls.into_iter()
        .map(|url| NamedAddressView { name: String::new(), address: url.to_owned() })
        .collect()
}
