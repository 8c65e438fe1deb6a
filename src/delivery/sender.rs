//! Who a user may be as a sender, for every way he sends (RFC 6409 §6.1).

use super::Delivery;
use crate::auth::name::normal_address;
use crate::codec::mime::fields::{FieldValue, Fields, Recipient};
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::structure::NamedAddress;

/// Reason of the `Forbidden` of a user who may not send.
pub const USER_DISABLED: &str = "the user is disabled";
/// Reason of the `Forbidden` of a From that is not his.
const FROM_OF_OTHERS: &str = "From is not an address of this user";

/// Who the user is in a From field, and which addresses he may write there.
#[derive(Clone, Debug)]
pub struct Sender {
    /// His name and main address.
    pub own: NamedAddress,
    /// He wants copies of what he sends over SMTP.
    pub keeps_copies: bool,
    /// Lookup forms; `*@domain` is every address of a domain.
    allowed: Vec<String>,
}

impl Sender {
    /// One who may use the addresses with these lookup forms.
    pub const fn new(own: NamedAddress, allowed: Vec<String>) -> Self {
        Self { own, keeps_copies: false, allowed }
    }

    /// Whether he may write this address in From.
    pub fn may_send_from(&self, address: &str) -> bool {
        let Ok(address) = normal_address(address) else { return false };
        let form = address.lookup_form();
        let any = format!("*@{}", address.domain());
        self.allowed.iter().any(|allowed| *allowed == form || *allowed == any)
    }

    /// Whether he may send a message that begins with this header: every address of every From is
    /// his. Returns whether it has a From at all.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn check_from(&self, header: &[u8]) -> Result<bool> {
        let fields = Fields::read(header);
        let mut has_from = false;
        for (_, value) in fields.iter().filter(|(name, _)| name == "from") {
            has_from = true;
            let FieldValue::Recipients(recipients) = value else {
                return Err(Error::Forbidden { reason: FROM_OF_OTHERS });
            };
            let mut named = recipients.iter().flat_map(|recipient| match recipient {
                Recipient::One(one) => std::slice::from_ref(one),
                Recipient::Group { members, .. } => members,
            });
            if recipients.is_empty() || named.any(|named| !self.may_send_from(&named.address)) {
                return Err(Error::Forbidden { reason: FROM_OF_OTHERS });
            }
        }
        Ok(has_from)
    }
}

impl Delivery {
    /// Who the user is: two round trips.
    ///
    /// # Errors
    /// `NotFound` user, `Forbidden` ([`USER_DISABLED`]), `Unavailable`.
    pub async fn sender(&self, user: UserId) -> Result<Sender> {
        let profile = self.directory.load_user(user).await?;
        if profile.user.disabled {
            return Err(Error::Forbidden { reason: USER_DISABLED });
        }
        let entries = self.directory.list_addresses(user).await?;
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
        let own = NamedAddress { name, address: profile.user.address };
        Ok(Sender { own, keeps_copies: profile.upload_sent_messages, allowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_from_is_checked() {
        let own = NamedAddress { name: "Anna".into(), address: "anna@example.com".into() };
        let allowed = vec!["anna@example.com".into(), "*@bücher.example".into()];
        let sender = Sender::new(own, allowed);
        let check =
            |header: &str| sender.check_from(format!("{header}\r\n\r\nFrom: e@x\r\n").as_bytes());
        let good = [
            "From: anna@example.com",
            "FROM: Anna <An.Na+x@EXAMPLE.com>, any@xn--bcher-kva.example",
            "From: \"eve@evil.example\" <anna@example.com>",
        ];
        for header in good {
            assert!(matches!(check(header), Ok(true)), "{header}");
        }
        assert!(matches!(check("To: b@example.org"), Ok(false)));
        let bad = [
            "From: eve@evil.example",
            "From: anna@example.com, eve@evil.example",
            "From: anna@example.com\r\nFrom: eve@evil.example",
            "From: anna@example.com <eve@evil.example>",
            "From: friends: eve@evil.example;",
            "From: nobody",
            "From:",
        ];
        for header in bad {
            assert!(matches!(check(header), Err(Error::Forbidden { .. })), "{header}");
        }
    }
}
