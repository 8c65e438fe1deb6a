//! Composing a user's message: who he may be in it, and its octets.

use super::Context;
use super::problem::Problem;
use crate::codec::mime::build::{Draft, compose};
use crate::delivery::sender::USER_DISABLED;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::structure::NamedAddress;
use axum::http::StatusCode;
use bytes::Bytes;

pub use crate::delivery::sender::Sender;

/// Who the user is.
///
/// # Errors
/// `NotFound` user, 403 `UserDisabled`.
pub async fn sender(ctx: &Context, user: UserId) -> Result<Sender, Problem> {
    ctx.delivery.sender(user).await.map_err(|error| match error {
        Error::Forbidden { reason: USER_DISABLED } => {
            let text = "This user is disabled";
            Problem::new(StatusCode::FORBIDDEN, "UserDisabled", text)
        }
        error => error.into(),
    })
}

/// The given From, unless a draft's is none of the user's own; else the user's.
pub fn allowed_from(given: Option<NamedAddress>, sender: &Sender, is_draft: bool) -> NamedAddress {
    match given {
        None => sender.own.clone(),
        Some(from) => {
            if !is_draft || sender.may_send_from(&from.address) {
                return from;
            }
            NamedAddress { name: from.name, address: sender.own.address.clone() }
        }
    }
}

/// A new Message-ID with the sender's domain, without brackets.
pub fn message_id(draft: &Draft) -> String {
    let address = draft.from.as_ref().map(|from| from.address.as_str()).unwrap_or_default();
    let domain = address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let domain = idna::domain_to_ascii(domain).ok().filter(|domain| !domain.is_empty());
    let random: u128 = rand::random();
    format!("{random:032x}@{}", domain.as_deref().unwrap_or("localhost"))
}

/// Composes a message: encoding tens of megabytes is not for the threads that serve sockets.
///
/// # Errors
/// As `compose`.
pub async fn compose_on_pool(draft: Draft) -> Result<Bytes> {
    let composed = tokio::task::spawn_blocking(move || compose(draft)).await;
    let octets = composed.map_err(|error| Error::internal("composing a message", error))??;
    Ok(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(address: &str) -> NamedAddress {
        NamedAddress { name: "N".into(), address: address.into() }
    }

    #[test]
    fn drafts_are_from_the_user() {
        let allowed = vec!["anna@example.com".into(), "*@example.org".into()];
        let sender = Sender::new(named("anna@example.com"), allowed);
        let from =
            |given: &str, is_draft| allowed_from(Some(named(given)), &sender, is_draft).address;
        assert_eq!(from("An.Na+x@example.com", true), "An.Na+x@example.com");
        assert_eq!(from("any@example.org", true), "any@example.org");
        assert_eq!(from("eve@example.net", true), "anna@example.com");
        assert_eq!(from("eve@example.net", false), "eve@example.net");
        assert_eq!(allowed_from(None, &sender, false), sender.own);
    }

    #[test]
    fn message_ids_have_the_senders_domain() {
        let id =
            |address: &str| message_id(&Draft { from: Some(named(address)), ..Draft::default() });
        assert!(id("a@bücher.example").ends_with("@xn--bcher-kva.example"));
        assert!(id("").ends_with("@localhost"));
        assert_ne!(id("a@b"), id("a@b"));
    }
}
