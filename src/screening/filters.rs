//! What Rspamd and ClamAV say about a message, asked at the same time.

use super::rspamd::{self, Envelope, Opinion};
use super::settings::{Away, Check};
use super::takers::Takers;
use super::verdict::Refusal;
use super::{Inner, clamav, count, greylist};
use crate::model::address::EmailAddress;
use bytes::Bytes;
use std::io;

/// What came out.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Scanned {
    pub(super) refusal: Option<Refusal>,
    pub(super) lines: Vec<u8>,
    /// Check and result, for the trace.
    pub(super) results: Vec<(&'static str, String)>,
}

/// Asks both, as far as they are set.
pub(super) async fn scan(
    inner: &Inner,
    envelope: &Envelope,
    takers: &Takers,
    content: &Bytes,
) -> Scanned {
    let (virus, opinion) = tokio::join!(
        async {
            match takers.want(Check::Clamav) {
                true => Box::pin(virus(inner, content)).await,
                false => None,
            }
        },
        async {
            match takers.want(Check::Rspamd) {
                true => Box::pin(opinion(inner, envelope, content)).await,
                false => None,
            }
        },
    );
    let mut scanned = Scanned::default();
    let (clamav, rspamd) = (&inner.settings.clamav, &inner.settings.rspamd);
    match virus {
        None => {}
        Some(Ok(None)) => scanned.tell("clamav", "clean"),
        Some(Ok(Some(name))) => {
            scanned.tell("clamav", &name);
            count("clamav", "refuse");
            let text = format!("there is a virus in it: {name}");
            scanned.refusal = Some(Refusal::new(550, (5, 7, 1), text));
        }
        Some(Err(error)) => scanned.away("clamav", clamav.away, &error),
    }
    match opinion {
        None => {}
        Some(Err(error)) => scanned.away("rspamd", rspamd.away, &error),
        Some(Ok(opinion)) => {
            scanned.tell("rspamd", &format!("{} ({:.2})", opinion.action, opinion.score));
            scanned.lines = opinion.lines();
            if scanned.refusal.is_none() {
                scanned.refusal = obey(inner, envelope, &takers.addresses, &opinion).await;
            }
        }
    }
    scanned
}

async fn virus(inner: &Inner, content: &Bytes) -> Option<io::Result<Option<String>>> {
    let settings = &inner.settings.clamav;
    if settings.address.is_empty() {
        return None;
    }
    Some(clamav::scan(settings, content).await)
}

async fn opinion(
    inner: &Inner,
    envelope: &Envelope,
    content: &Bytes,
) -> Option<io::Result<Opinion>> {
    let settings = &inner.settings.rspamd;
    if settings.url.is_empty() {
        return None;
    }
    let Some(http) = &inner.http else {
        return Some(Err(io::Error::other("there is no HTTP client")));
    };
    Some(rspamd::check(http, settings, envelope, content.clone()).await)
}

/// What follows from Rspamd's action; what is not refused is judged by its fields, in delivery.
async fn obey(
    inner: &Inner,
    envelope: &Envelope,
    recipients: &[EmailAddress],
    opinion: &Opinion,
) -> Option<Refusal> {
    let settings = &inner.settings;
    let words = |otherwise: &str| opinion.words().unwrap_or_else(|| otherwise.to_owned());
    let refusal = match opinion.action.as_str() {
        "reject" if settings.rspamd.reject => Refusal::new(550, (5, 7, 1), words("this is spam")),
        "soft reject" => Refusal::new(451, (4, 7, 1), words("try again later")),
        "greylist" if settings.greylist.suspects => {
            let domain = envelope.sender.rsplit_once('@').map_or("", |(_, domain)| domain);
            let mut refusal = None;
            for recipient in recipients {
                let form = recipient.lookup_form();
                let put_off = greylist::check(inner, envelope.peer, domain, &form).await;
                refusal = refusal.or(put_off);
            }
            refusal?
        }
        _ => return None,
    };
    count("rspamd", "refuse");
    Some(refusal)
}

impl Scanned {
    fn tell(&mut self, check: &'static str, result: &str) {
        self.results.push((check, result.to_owned()));
    }

    fn away(&mut self, check: &'static str, rule: Away, error: &io::Error) {
        count(check, "away");
        tracing::warn!(check, %error, "a filter is away");
        self.tell(check, "away");
        if rule == Away::Tempfail {
            let refusal = Refusal::new(451, (4, 3, 0), "a filter is away, try again later");
            self.refusal = Some(refusal);
        }
    }
}
