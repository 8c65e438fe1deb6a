//! Composing a user's message: who he may be in it, and its octets.

use super::Context;
use super::problem::Problem;
use crate::codec::mime::build::{Draft, compose};
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::structure::NamedAddress;
use axum::http::StatusCode;
use bytes::Bytes;

/// Who the user is in a From field, and which addresses he may write there.
#[derive(Clone, Debug)]
pub struct Sender {
    /// His name and main address.
    pub own: NamedAddress,
    /// Lookup forms; `*@domain` is every address of a domain.
    allowed: Vec<String>,
}

impl Sender {
    /// Whether he may write this address in From.
    pub fn may_send_from(&self, address: &str) -> bool {
        let Ok(address) = EmailAddress::new(address) else { return false };
        let form = address.lookup_form();
        let any = format!("*@{}", address.domain());
        self.allowed.iter().any(|allowed| *allowed == form || *allowed == any)
    }
}

/// Who the user is.
///
/// # Errors
/// `NotFound` user, 403 `UserDisabled`.
pub async fn sender(ctx: &Context, user: UserId) -> Result<Sender, Problem> {
    let profile = ctx.directory.load_user(user).await?;
    if profile.user.disabled {
        let text = "This user is disabled";
        return Err(Problem::new(StatusCode::FORBIDDEN, "UserDisabled", text));
    }
    let entries = ctx.directory.list_addresses(user).await?;
    let form = |address: &String| match EmailAddress::new(address) {
        Ok(address) => address.lookup_form(),
        Err(_) => address.to_lowercase(),
    };
    let mut allowed: Vec<String> = entries.iter().map(|entry| entry.lookup.clone()).collect();
    allowed.extend(profile.from_whitelist.iter().map(form));
    allowed.push(form(&profile.user.address));
    let main = entries.iter().find(|entry| entry.address == profile.user.address);
    let name = main.map(|entry| entry.name.clone()).filter(|name| !name.is_empty());
    let name = name.unwrap_or(profile.name);
    Ok(Sender { own: NamedAddress { name, address: profile.user.address }, allowed })
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
        let sender = Sender { own: named("anna@example.com"), allowed };
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
