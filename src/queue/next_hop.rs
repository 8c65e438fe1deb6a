//! What all nodes know of next hops: policies that were fetched, and how well connections were
//! protected.

use super::Queue;
use crate::codec::mta_sts::StsPolicy;
use crate::model::error::Result;
use crate::storage::report_results::{self, About};
use crate::storage::sts_policies;
use std::time::Duration;

pub use crate::storage::report_results::Counted;

const DAY_MS: i64 = 86_400_000;
/// Days a report is tried.
const KEPT_DAYS: i64 = 7;
/// Rows of one report.
const ROWS_MAX: i64 = 10_000;

/// A policy some node has fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedPolicy {
    /// Of the record it was fetched for.
    pub id: String,
    /// What it says.
    pub policy: StsPolicy,
    /// How long it is still to be kept.
    pub left: Duration,
}

impl Queue {
    /// A domain's MTA-STS policy, if one was fetched and its time is not over. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_policy(&self, domain: &str) -> Result<Option<FetchedPolicy>> {
        let now = self.clock.now_ms();
        let found = sts_policies::find(&self.storage, domain).await?;
        Ok(found.and_then(|found| {
            let left = u64::try_from(found.expires_ms.saturating_sub(now)).ok()?;
            let left = Duration::from_millis(left);
            (!left.is_zero()).then_some(FetchedPolicy { id: found.id, policy: found.policy, left })
        }))
    }

    /// Keeps a policy that was fetched now. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keep_policy(&self, domain: &str, id: &str, policy: &StsPolicy) -> Result<()> {
        let age_ms = i64::try_from(policy.max_age_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let shared = sts_policies::SharedPolicy {
            id: id.to_owned(),
            policy: policy.clone(),
            expires_ms: self.clock.now_ms().saturating_add(age_ms),
        };
        sts_policies::put(&self.storage, domain, &shared).await
    }

    /// Today, in days since 1970.
    pub fn today(&self) -> i64 {
        self.clock.now_ms().div_euclid(DAY_MS)
    }

    /// Counts a connection. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_tls(&self, result: &Counted) -> Result<()> {
        let expires_ms = result.day.saturating_add(KEPT_DAYS).saturating_mul(DAY_MS);
        report_results::note(&self.storage, About::Tls, result, expires_ms).await
    }

    /// A day that is over and a domain that is to be told about it, the next one after another.
    /// One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn next_tls(&self, after: Option<&(i64, String)>) -> Result<Option<(i64, String)>> {
        report_results::find_before(&self.storage, About::Tls, self.today(), after).await
    }

    /// What was counted of a domain on a day. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_tls(&self, day: i64, domain: &str) -> Result<Vec<Counted>> {
        report_results::list(&self.storage, About::Tls, (day, domain), ROWS_MAX).await
    }

    /// The domain was told, or need not be. One round trip.
    ///
    /// # Errors
    /// `Unavailable`; it may be told once more then.
    pub async fn forget_tls(&self, day: i64, domain: &str) -> Result<()> {
        report_results::forget(&self.storage, About::Tls, day, domain).await
    }
}
