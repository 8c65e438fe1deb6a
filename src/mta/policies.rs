//! MTA-STS policies of other domains (RFC 8461): asked for in the DNS, fetched over HTTPS, kept by
//! all nodes together as long as they say, and by each for itself.
//!
//! What cannot be fetched is no policy (§5.1), unless an older one is kept: that goes on to apply
//! until its time is over, so that nobody can take it away by blocking the way to it.

use super::Context;
use crate::codec::mta_sts::{StsPolicy, parse_policy, parse_record};
use crate::net::http;
use crate::queue::next_hop::FetchedPolicy;
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

/// Why a policy that is announced is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// It cannot be fetched.
    Unfetched,
    /// It cannot be read.
    Invalid,
}

/// What a domain wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It says nothing.
    Nothing,
    /// This.
    Policy(Arc<StsPolicy>),
    /// It says that there is a policy.
    Missing(Missing),
}

#[derive(Clone, Default, Debug)]
struct Kept {
    /// The id it was fetched for.
    id: String,
    /// The last one that was fetched, and when its time is over.
    policy: Option<(Arc<StsPolicy>, Instant)>,
    /// The last try failed: when it is tried again.
    retried: Option<(Instant, Missing)>,
}

impl Kept {
    fn fetched(id: String, policy: StsPolicy, until: Instant) -> Self {
        Self { id, policy: Some((Arc::new(policy), until)), retried: None }
    }

    fn valid(&self, now: Instant) -> Option<&(Arc<StsPolicy>, Instant)> {
        self.policy.as_ref().filter(|(_, until)| *until > now)
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.retried.map_or(self.valid(now).is_some(), |(retried, _)| retried > now)
    }

    fn found(&self, now: Instant) -> Found {
        match (self.valid(now), self.retried) {
            (Some((policy, _)), _) => Found::Policy(Arc::clone(policy)),
            (None, Some((_, missing))) => Found::Missing(missing),
            (None, None) => Found::Nothing,
        }
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

/// What a domain wants: one question to the DNS (which keeps the answer), and one to the database if
/// this node keeps nothing.
pub async fn find(ctx: &Context, domain: &str) -> Found {
    let now = Instant::now();
    let id = match ctx.resolver.txt(&format!("_mta-sts.{domain}")).await {
        // RFC 8461 §3.1: more than one is none
        Ok(answer) => {
            let mut ids = answer.records.iter().filter_map(|record| parse_record(record));
            ids.next().filter(|_| ids.next().is_none())
        }
        Err(_) => None,
    };
    let mut kept = ctx.policies.find(domain).unwrap_or_default();
    let is_enough = match &id {
        Some(id) => kept.id == *id && kept.is_fresh(now),
        None => kept.valid(now).is_some(),
    };
    if is_enough {
        return kept.found(now);
    }
    if let Some(shared) = shared(ctx, domain).await {
        kept = Kept::fetched(shared.id, shared.policy, now + shared.left);
        ctx.policies.keep(domain, kept.clone(), now);
    }
    let Some(id) = id.filter(|id| *id != kept.id || kept.valid(now).is_none()) else {
        return if kept.valid(now).is_some() { kept.found(now) } else { Found::Nothing };
    };
    kept = match fetch(ctx, domain).await {
        Ok(policy) => {
            if let Err(error) = ctx.delivery.queue().keep_policy(domain, &id, &policy).await {
                tracing::warn!(domain, %error, "a policy is kept by this node only");
            }
            let until = now + Duration::from_secs(policy.max_age_s);
            Kept::fetched(id, policy, until)
        }
        Err((missing, reason)) => {
            tracing::info!(domain, reason, "an MTA-STS policy cannot be fetched");
            metrics::counter!("eider_mta_sts_failures_total").increment(1);
            Kept { id, policy: kept.policy, retried: Some((now + FAILED, missing)) }
        }
    };
    ctx.policies.keep(domain, kept.clone(), now);
    kept.found(now)
}

/// What some node has fetched.
async fn shared(ctx: &Context, domain: &str) -> Option<FetchedPolicy> {
    let found = ctx.delivery.queue().find_policy(domain).await;
    found.unwrap_or_else(|error| {
        tracing::warn!(domain, %error, "a policy is looked for at its domain only");
        None
    })
}

/// RFC 8461 §3.3: HTTPS, no redirects, the certificate is for `mta-sts.` and the domain.
async fn fetch(ctx: &Context, domain: &str) -> Result<StsPolicy, (Missing, String)> {
    let unfetched = |reason: String| (Missing::Unfetched, reason);
    let host = format!("mta-sts.{domain}");
    let found = ctx.resolver.addresses(&host).await;
    let found = found.map_err(|failure| unfetched(failure.to_string()))?;
    let port = ctx.settings.mta_sts_port;
    let addresses: Vec<SocketAddr> =
        found.records.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    let client = http::client_to(&ctx.tls, &host, &addresses, FETCH);
    let client = client.map_err(|error| unfetched(error.to_string()))?;
    let url = format!("https://{host}:{port}/.well-known/mta-sts.txt");
    let text = http::read_text(&client, &url, POLICY_OCTETS_MAX).await.map_err(unfetched)?;
    parse_policy(&text).ok_or_else(|| (Missing::Invalid, "it cannot be read".to_owned()))
}
