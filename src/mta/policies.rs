//! MTA-STS policies of other domains (RFC 8461): asked for in the DNS, fetched over HTTPS, kept by
//! this node as long as they say.
//!
//! What cannot be fetched is no policy (§5.1), unless an older one is kept: that goes on to apply
//! until its time is over, so that nobody can take it away by blocking the way to it.

use super::Context;
use crate::codec::mta_sts::{Mode, StsPolicy, parse_policy, parse_record};
use crate::net::http;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Domains whose policies are kept.
const KEPT_MAX: usize = 10_000;
/// Octets of the largest policy (RFC 8461 §3.3 suggests 64 KiB).
const POLICY_OCTETS_MAX: usize = 64 * 1024;
/// Time for a policy (RFC 8461 §3.3: at most a minute).
const FETCH: Duration = Duration::from_secs(20);
/// A policy that could not be fetched is asked for again after this.
const FAILED: Duration = Duration::from_secs(300);

#[derive(Clone, Debug)]
struct Kept {
    /// The id it was fetched for.
    id: String,
    /// The last one that was fetched, and when its time is over.
    policy: Option<(Arc<StsPolicy>, Instant)>,
    /// The last try failed: when it is tried again.
    retried: Option<Instant>,
}

impl Kept {
    fn valid(&self, now: Instant) -> Option<&(Arc<StsPolicy>, Instant)> {
        self.policy.as_ref().filter(|(_, until)| *until > now)
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.retried.map_or(self.valid(now).is_some(), |retried| retried > now)
    }
}

/// The policies of a node; cheap to clone.
#[derive(Clone, Default, Debug)]
pub struct Policies {
    /// By domain. Held for a look-up only.
    kept: Arc<Mutex<HashMap<String, Kept>>>,
}

impl Policies {
    fn find(&self, domain: &str) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(domain).cloned()
    }

    fn keep(&self, domain: &str, new: Kept, now: Instant) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, old| old.is_fresh(now));
        }
        if kept.len() < KEPT_MAX {
            kept.insert(domain.to_owned(), new);
        }
    }
}

/// The patterns of a domain's hosts, if it enforces them.
pub async fn enforced(ctx: &Context, domain: &str) -> Option<Vec<String>> {
    let policy = find(ctx, domain).await?;
    (policy.mode == Mode::Enforce).then(|| policy.patterns.clone())
}

async fn find(ctx: &Context, domain: &str) -> Option<Arc<StsPolicy>> {
    let now = Instant::now();
    let kept = ctx.policies.find(domain);
    let valid = kept.as_ref().and_then(|kept| kept.valid(now)).cloned();
    let id = match ctx.resolver.txt(&format!("_mta-sts.{domain}")).await {
        // RFC 8461 §3.1: more than one is none
        Ok(answer) => {
            let mut ids = answer.records.iter().filter_map(|record| parse_record(record));
            ids.next().filter(|_| ids.next().is_none())
        }
        Err(_) => None,
    };
    let Some(id) = id else { return valid.map(|(policy, _)| policy) };
    if kept.is_some_and(|kept| kept.id == id && kept.is_fresh(now)) {
        return valid.map(|(policy, _)| policy);
    }
    let (policy, retried) = match fetch(ctx, domain).await {
        Ok(policy) => {
            let until = now + Duration::from_secs(policy.max_age_s);
            (Some((Arc::new(policy), until)), None)
        }
        Err(reason) => {
            tracing::info!(domain, reason, "an MTA-STS policy cannot be fetched");
            metrics::counter!("eider_mta_sts_failures_total").increment(1);
            (valid, Some(now + FAILED))
        }
    };
    ctx.policies.keep(domain, Kept { id, policy: policy.clone(), retried }, now);
    policy.map(|(policy, _)| policy)
}

/// RFC 8461 §3.3: HTTPS, no redirects, the certificate is for `mta-sts.` and the domain.
async fn fetch(ctx: &Context, domain: &str) -> Result<StsPolicy, String> {
    let host = format!("mta-sts.{domain}");
    let found = ctx.resolver.addresses(&host).await.map_err(|failure| failure.to_string())?;
    let port = ctx.settings.mta_sts_port;
    let addresses: Vec<SocketAddr> =
        found.records.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    let client = http::client_to(&ctx.tls, &host, &addresses, FETCH);
    let client = client.map_err(|error| error.to_string())?;
    let url = format!("https://{host}:{port}/.well-known/mta-sts.txt");
    let text = http::read_text(&client, &url, POLICY_OCTETS_MAX).await?;
    parse_policy(&text).ok_or_else(|| "it cannot be read".to_owned())
}
