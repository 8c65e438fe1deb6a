//! DMARC failure reports (RFC 7489 §7.3, RFC 6591): what was found out about one message that
//! claims to be from a domain, for the domain.
//!
//! Off unless the operator says how many a domain may get: they show the header of somebody's
//! message to whom it only claims to be from. Recipients are not told. They are kept, and a job
//! sends them.

use super::authenticate::Facts;
use super::report::RECIPIENTS_MAX;
use super::settings::Rule;
use super::{Inner, Screening, count};
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::storage::dmarc_failures::{self, FailureReport};
use crate::storage::rate_limits;
use mail_auth::report::{
    AuthFailureType, DeliveryResult, Feedback, FeedbackType, IdentityAlignment,
};
use mail_auth::{DmarcOutput, DmarcResult};
use std::borrow::Cow;

const HOUR_MS: i64 = 3_600_000;
/// How long one is kept, sent or not.
const KEPT_MS: i64 = 7 * 24 * HOUR_MS;
/// Octets of the message's header that are shown.
const HEADER_OCTETS_MAX: usize = 32 * 1024;
/// Rows that are shown of a domain.
const ROWS_MAX: i64 = 1000;

/// A failure that its domain wants to know of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    domain: String,
    to: Vec<String>,
    feedback: Feedback<'static>,
}

/// What is to be told, if the domain wants it and reports are sent.
pub(super) fn failure(
    inner: &Inner,
    facts: &Facts,
    content: &[u8],
    results: &str,
    dmarc: &DmarcOutput,
) -> Option<Failure> {
    let settings = &inner.settings;
    if settings.dmarc_failures_per_hour == 0 || settings.dmarc_reports_from.is_empty() {
        return None;
    }
    // What `fo` asks for, too
    dmarc.failure_report()?;
    let record = dmarc.dmarc_record()?;
    let to: Vec<String> = record
        .ruf()
        .iter()
        .filter_map(|uri| {
            uri.uri().strip_prefix("mailto:").map(str::to_owned).or_else(|| {
                let is_plain = !uri.uri().contains(':');
                is_plain.then(|| uri.uri().to_owned())
            })
        })
        .take(RECIPIENTS_MAX)
        .collect();
    let sender = facts.sender.as_ref().map(ToString::to_string).unwrap_or_default();
    let results = results.trim().trim_start_matches("Authentication-Results: ").to_owned();
    let feedback = Feedback::new(FeedbackType::AuthFailure)
        .with_auth_failure(AuthFailureType::Dmarc)
        .with_identity_alignment(alignment(dmarc))
        .with_arrival_date(inner.clock.now_ms().div_euclid(1000))
        .with_source_ip(facts.peer)
        .with_original_mail_from(sender)
        .with_reported_domain(dmarc.domain().to_owned())
        .with_reporting_mta(inner.hostname.clone())
        .with_user_agent(concat!("Eider/", env!("CARGO_PKG_VERSION")))
        .with_authentication_results(results)
        .with_headers(header_of(content));
    Some(Failure { domain: dmarc.domain().to_owned(), to, feedback })
}

fn alignment(dmarc: &DmarcOutput) -> IdentityAlignment {
    let passes = |result: &DmarcResult| *result == DmarcResult::Pass;
    match (passes(dmarc.dkim_result()), passes(dmarc.spf_result())) {
        (true, true) => IdentityAlignment::DkimSpf,
        (true, false) => IdentityAlignment::Dkim,
        (false, true) => IdentityAlignment::Spf,
        (false, false) => IdentityAlignment::None,
    }
}

fn header_of(content: &[u8]) -> Cow<'static, str> {
    let end = content.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.map_or(content.len(), |end| end.saturating_add(2)).min(HEADER_OCTETS_MAX);
    String::from_utf8_lossy(content.get(..end).unwrap_or_default()).into_owned().into()
}

/// Keeps the reports of a failure, if the domain has not had enough of them. What cannot be kept is
/// not reported.
pub(super) async fn note(inner: &Inner, failure: &Failure, done: Rule) {
    match try_note(inner, failure, done).await {
        Ok(()) => count("dmarc_failure", "noted"),
        Err(Error::Throttled { .. }) => count("dmarc_failure", "too_many"),
        Err(error) => tracing::warn!(%error, "a DMARC failure is not reported"),
    }
}

async fn try_note(inner: &Inner, failure: &Failure, done: Rule) -> Result<()> {
    let (storage, now) = (&inner.storage, inner.clock.now_ms());
    let (key, max) =
        (format!("dmarc-ruf:{}", failure.domain), inner.settings.dmarc_failures_per_hour);
    rate_limits::count_below(storage, &key, 1, max, now, HOUR_MS).await?;
    let feedback = failure.feedback.clone().with_delivery_result(match done {
        Rule::Off => DeliveryResult::Delivered,
        Rule::Mark => DeliveryResult::Spam,
        Rule::Refuse => DeliveryResult::Reject,
    });
    let from = inner.settings.dmarc_reports_from.as_str();
    let subject = format!("Authentication failure report for {}", failure.domain);
    for to in &failure.to {
        let mut content = Vec::new();
        feedback
            .write_rfc5322(from, to, &subject, &mut content)
            .map_err(|error| Error::internal("composing a report", error))?;
        let expires_ms = now.saturating_add(KEPT_MS);
        dmarc_failures::insert(storage, &failure.domain, to, content, expires_ms).await?;
    }
    Ok(())
}

impl Screening {
    /// The next failure report to be sent, with who gets it: nobody, if its address does not want
    /// reports about the domain.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn next_failure(&self) -> Result<Option<(FailureReport, Option<EmailAddress>)>> {
        if self.inner.settings.dmarc_reports_from.is_empty() {
            return Ok(None);
        }
        let Some(report) = dmarc_failures::find_waiting(&self.inner.storage).await? else {
            return Ok(None);
        };
        let wanted = [report.to.clone()];
        let to = self.entitled(&report.domain, &wanted).await?.pop();
        Ok(Some((report, to)))
    }

    /// The report was sent, or need not be.
    ///
    /// # Errors
    /// `Unavailable`; it may be sent once more then.
    pub async fn finish_failure(&self, report: &FailureReport, is_refused: bool) -> Result<()> {
        dmarc_failures::finish(&self.inner.storage, report.id, is_refused).await
    }

    /// The failure reports about a domain of the last week, newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_failures(&self, domain: &str) -> Result<Vec<FailureReport>> {
        dmarc_failures::list(&self.inner.storage, domain, ROWS_MAX).await
    }
}
