//! Greylisting: who is unknown is put off, and comes again if he is a mailer.
//!
//! Somebody is a client network (/24, /64: large senders retry from another host), the sender's
//! domain (the local part of list mail changes with every message) and the recipient. The rules
//! are pure, the memory is `storage::greylist`.

use super::Inner;
use super::crowd::network_of;
use super::settings::GreylistSettings;
use super::verdict::Refusal;
use crate::model::error::Result;
use crate::storage::greylist::{self, Seen};
use std::net::IpAddr;

/// What is done about an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// Put off, and noted as the first attempt.
    First,
    /// Put off: too early.
    Early,
    /// Let in, and known from now on.
    Known,
    /// Let in, and known longer.
    Renewed,
    /// Let in.
    Pass,
}

fn step(settings: &GreylistSettings, seen: Option<Seen>, now_ms: i64) -> Step {
    let ms = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    let Some(seen) = seen else { return Step::First };
    let left_ms = seen.expires_ms.saturating_sub(now_ms);
    match seen.is_known {
        // Written now and then, not with each message
        true if left_ms < ms(settings.lifetime_s) / 2 => Step::Renewed,
        true => Step::Pass,
        false if now_ms.saturating_sub(seen.first_ms) < ms(settings.wait_s) => Step::Early,
        false => Step::Known,
    }
}

/// Whether the client is put off for this recipient. One round trip for whom we know, two else.
pub(super) async fn check(
    inner: &Inner,
    peer: IpAddr,
    sender_domain: &str,
    recipient: &str,
) -> Option<Refusal> {
    let text = format!("{}\n{sender_domain}\n{recipient}", network_of(peer)).to_lowercase();
    let key = blake3::hash(text.as_bytes()).to_hex();
    match attempt(inner, key.as_str()).await {
        Ok(true) => None,
        Ok(false) => Some(Refusal::new(451, (4, 7, 1), "greylisted, try again in some minutes")),
        Err(error) => {
            tracing::warn!(%error, "greylisting is left out");
            None
        }
    }
}

async fn attempt(inner: &Inner, key: &str) -> Result<bool> {
    let (settings, storage) = (&inner.settings.greylist, &inner.storage);
    let now_ms = inner.clock.now_ms();
    let after = |seconds: u64| {
        now_ms.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000))
    };
    let step = step(settings, greylist::find(storage, key, now_ms).await?, now_ms);
    match step {
        Step::First => {
            greylist::note_first(storage, key, now_ms, after(settings.window_s)).await?;
        }
        Step::Known | Step::Renewed => {
            greylist::note_known(storage, key, after(settings.lifetime_s)).await?;
        }
        Step::Early | Step::Pass => {}
    }
    Ok(!matches!(step, Step::First | Step::Early))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_again_in_time_is_let_in_and_known() {
        let settings =
            GreylistSettings { wait_s: 10, window_s: 100, ..GreylistSettings::default() };
        let seen = |is_known, expires_ms| Some(Seen { first_ms: 1000, is_known, expires_ms });
        assert_eq!(step(&settings, None, 1000), Step::First);
        assert_eq!(step(&settings, seen(false, 101_000), 10_999), Step::Early);
        assert_eq!(step(&settings, seen(false, 101_000), 11_000), Step::Known);
        let lifetime_ms = 3_110_400_000;
        assert_eq!(step(&settings, seen(true, 11_000 + lifetime_ms), 12_000), Step::Pass);
        assert_eq!(step(&settings, seen(true, lifetime_ms), lifetime_ms - 1), Step::Renewed);
    }
}
