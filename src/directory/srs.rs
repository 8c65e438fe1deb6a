//! Senders of forwarded mail rewritten into our name, and back when a bounce comes (SRS): the next
//! server would refuse mail that names a domain whose SPF does not name us.
//!
//! `SRS0=hash=day=domain=local@us`; a sender that another server has rewritten already becomes
//! `SRS1=hash=first==rest@us`, which leads back to the first one. The hash is keyed with a secret of
//! all nodes: nobody can have us forward what he likes.

use super::Directory;
use crate::model::address::EmailAddress;
use crate::model::error::Result;
use crate::model::forward::Forwarding;
use crate::model::id::AddressId;
use crate::model::message::TimeMs;
use crate::model::profile::AddressEntry;
use crate::model::target::{ForwardTarget, TargetKind};
use crate::storage::secrets;

/// Hexadecimal digits of the hash.
const HASH_DIGITS: usize = 8;
/// Days after which a rewritten address leads nowhere.
const DAYS_MAX: i64 = 21;
const DAY_MS: TimeMs = 24 * 60 * 60 * 1000;
/// Days are counted round.
const DAYS: i64 = 1024;

impl Directory {
    /// The sender that forwarded mail has at `domain`; `None`: it stays as it is, since it is one of
    /// our addresses or would be too long.
    ///
    /// Round trips: one to find out whether it is ours.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn rewrite_sender(&self, sender: &str, domain: &str) -> Result<Option<String>> {
        let Ok(sender) = EmailAddress::new(sender) else { return Ok(None) };
        if self.resolve_address(&sender, true).await?.is_some() {
            return Ok(None);
        }
        let local = rewritten(&self.srs_key().await?, &sender, self.clock.now_ms() / DAY_MS);
        // RFC 5321 §4.5.3.1.1
        Ok(Some(format!("{local}@{domain}")).filter(|_| local.len() <= 64))
    }

    /// Where mail to a rewritten address goes back to.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) async fn find_rewritten(
        &self,
        address: &EmailAddress,
    ) -> Result<Option<AddressEntry>> {
        if !is_rewritten(address.local()) {
            return Ok(None);
        }
        let key = self.srs_key().await?;
        let today = self.clock.now_ms() / DAY_MS;
        let Some(original) = restored(&key, address.local(), today) else { return Ok(None) };
        // Its own count of what is forwarded in a day
        let digest = blake3::hash(original.as_bytes());
        let mut id = [0; 12];
        id.copy_from_slice(digest.as_bytes().first_chunk::<12>().unwrap_or(&[0; 12]));
        let target = ForwardTarget { kind: TargetKind::Mail, value: original };
        Ok(Some(AddressEntry {
            id: AddressId::from_octets(id),
            user: None,
            forwarding: Some(Forwarding { targets: vec![target], ..Forwarding::default() }),
            address: address.to_string(),
            lookup: address.to_string(),
            name: String::new(),
            tags: Vec::new(),
            meta_data: None,
            internal_data: None,
            created_ms: 0,
        }))
    }

    async fn srs_key(&self) -> Result<[u8; 32]> {
        let load = || secrets::load(&self.storage, "srs");
        self.srs_secret.get_or_try_init(load).await.copied()
    }
}

fn is_rewritten(local: &str) -> bool {
    let scheme = local.get(..5).unwrap_or_default();
    scheme.eq_ignore_ascii_case("SRS0=") || scheme.eq_ignore_ascii_case("SRS1=")
}

/// Servers on the way may change the case.
fn hash(key: &[u8; 32], text: &str) -> String {
    let digest = blake3::keyed_hash(key, text.to_lowercase().as_bytes()).to_hex();
    digest.as_str().get(..HASH_DIGITS).unwrap_or_default().to_owned()
}

/// The local part.
fn rewritten(key: &[u8; 32], sender: &EmailAddress, today: i64) -> String {
    let (local, domain) = (sender.local(), sender.domain());
    let rest = local.get(5..).unwrap_or_default();
    if local.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("SRS0=")) {
        let text = format!("{domain}=={rest}");
        return format!("SRS1={}={text}", hash(key, &text));
    }
    if is_rewritten(local)
        && let Some((_, text)) = rest.split_once('=')
    {
        return format!("SRS1={}={text}", hash(key, text));
    }
    let text = format!("{:03x}={domain}={local}", today.rem_euclid(DAYS));
    format!("SRS0={}={text}", hash(key, &text))
}

/// The address a rewritten one stands for.
fn restored(key: &[u8; 32], local: &str, today: i64) -> Option<String> {
    let (hashed, text) = local.get(5..)?.split_once('=')?;
    if !hash(key, text).eq_ignore_ascii_case(hashed) {
        return None;
    }
    let address = if local.get(..5)?.eq_ignore_ascii_case("SRS1=") {
        let (domain, rest) = text.split_once("==")?;
        format!("SRS0={rest}@{domain}")
    } else {
        let (day, rest) = text.split_once('=')?;
        let day = i64::from_str_radix(day, 16).ok()?;
        if (today - day).rem_euclid(DAYS) > DAYS_MAX {
            return None;
        }
        let (domain, local) = rest.split_once('=')?;
        format!("{local}@{domain}")
    };
    EmailAddress::new(&address).ok().map(|address| address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn address(text: &str) -> EmailAddress {
        EmailAddress::new(text).unwrap()
    }

    #[test]
    fn senders_come_back_from_where_they_went() {
        let local = rewritten(&KEY, &address("Jo=e@a.example"), 1030);
        assert!(local.starts_with("SRS0=") && local.ends_with("=006=a.example=Jo=e"), "{local}");
        let back = Some("Jo=e@a.example".to_owned());
        assert_eq!(restored(&KEY, &local, 1030), back);
        assert_eq!(restored(&KEY, &local, 1030 + DAYS_MAX), back);
        assert_eq!(restored(&KEY, &local, 1030 + DAYS_MAX + 1), None, "too old");
        assert_eq!(restored(&[8; 32], &local, 1030), None, "another key");
        assert_eq!(restored(&KEY, &local.replace("a.example", "b.example"), 1030), None);
        let lower = restored(&KEY, &local.to_lowercase(), 1030);
        assert_eq!(lower.as_deref(), Some("jo=e@a.example"));
    }

    #[test]
    fn what_others_have_rewritten_goes_back_to_the_first() {
        let first = address("SRS0=abcd=xy=a.example=joe@f.example");
        let local = rewritten(&KEY, &first, 1);
        assert!(local.starts_with("SRS1="), "{local}");
        assert_eq!(restored(&KEY, &local, 1), Some(first.to_string()));
        // and so when another one has done that, too
        let second = rewritten(&KEY, &address(&format!("{local}@g.example")), 1);
        assert_eq!(restored(&KEY, &second, 1), Some(first.to_string()));
        for bad in ["SRS0=", "SRS1=a", "SRS0=a=b=c", "srs0=é", "SRS1=x=y==z"] {
            assert_eq!(restored(&KEY, bad, 1), None, "{bad}");
        }
    }
}
