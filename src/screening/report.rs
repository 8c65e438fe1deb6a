//! DMARC aggregate reports (RFC 7489 §7.2): results are counted when messages come, and a job sends
//! each domain that asked for it the report of a day that is over.
//!
//! A report is for the domain of From, under the policy that applied to it; two domains below one
//! policy get two reports.

use super::authenticate::Facts;
use super::settings::Rule;
use super::{Inner, Screening};
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::storage::report_results::{self, About, Counted};
use mail_auth::dmarc::Policy;
use mail_auth::report::{ActionDisposition, PolicyPublished, Record, Report, SPFDomainScope};
use mail_auth::{DkimOutput, DmarcOutput, DmarcResult};

const DAY_MS: i64 = 86_400_000;
/// Days a report is tried.
const KEPT_DAYS: i64 = 7;
/// Rows of one report.
const ROWS_MAX: i64 = 10_000;
/// Recipients of one report (RFC 7489 §6.2 lets receivers choose a limit of two or more).
pub(super) const RECIPIENTS_MAX: usize = 5;

/// A report to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueReport {
    /// Our address.
    pub from: EmailAddress,
    /// Who asked for it and may get it; empty: nobody.
    pub to: Vec<EmailAddress>,
    /// The message; empty if nobody gets it.
    pub content: Vec<u8>,
    day: i64,
    domain: String,
}

/// What is counted of a message, if the domain wants to know and reports are sent.
pub(super) fn result(
    inner: &Inner,
    facts: &Facts,
    dkim: &[DkimOutput<'_>],
    dmarc: &DmarcOutput,
) -> Option<Counted> {
    let published = dmarc.dmarc_record().filter(|record| !record.rua().is_empty())?;
    if inner.settings.dmarc_reports_from.is_empty() {
        return None;
    }
    let sender_domain = facts.sender.as_ref().map_or(facts.helo.as_str(), EmailAddress::domain);
    let mut record = Record::new()
        .with_source_ip(facts.peer)
        .with_count(1)
        .with_envelope_from(sender_domain)
        .with_header_from(dmarc.domain())
        .with_dkim_output(dkim)
        .with_dmarc_output(dmarc)
        .with_action_disposition(disposition(inner.settings.dmarc, dmarc));
    if let Some(helo) = &facts.spf.helo {
        record = record.with_spf_output(helo, SPFDomainScope::Helo);
    }
    record = record.with_spf_output(&facts.spf.mail, SPFDomainScope::MailFrom);
    let policy = PolicyPublished::from_record(dmarc.domain(), published);
    let to = published.rua().iter().map(|uri| uri.uri().to_owned()).take(RECIPIENTS_MAX);
    Some(Counted {
        day: inner.clock.now_ms().div_euclid(DAY_MS),
        domain: dmarc.domain().to_owned(),
        policy: serde_json::to_string(&policy).ok()?,
        row: serde_json::to_string(&record).ok()?,
        to: to.collect(),
        count: 1,
    })
}

/// What we did with the message, as far as DMARC is concerned.
fn disposition(rule: Rule, dmarc: &DmarcOutput) -> ActionDisposition {
    match (dmarc.result(), dmarc.policy(), rule) {
        (DmarcResult::Pass, ..) => ActionDisposition::Pass,
        (DmarcResult::Fail(_), Policy::Reject, Rule::Refuse) => ActionDisposition::Reject,
        (DmarcResult::Fail(_), Policy::Reject | Policy::Quarantine, Rule::Mark | Rule::Refuse) => {
            ActionDisposition::Quarantine
        }
        _ => ActionDisposition::None,
    }
}

/// Counts it. What cannot be counted is not reported.
pub(super) async fn note(inner: &Inner, result: &Counted) {
    let expires_ms = result.day.saturating_add(KEPT_DAYS).saturating_mul(DAY_MS);
    if let Err(error) = report_results::note(&inner.storage, About::Dmarc, result, expires_ms).await
    {
        tracing::warn!(%error, "a DMARC result is not counted");
    }
}

impl Screening {
    /// What DMARC has said of mail of a domain, of days whose reports are not sent yet: the last
    /// `days` days, newest first. A round trip for each.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_results(&self, domain: &str, days: i64) -> Result<Vec<Counted>> {
        let today = self.inner.clock.now_ms().div_euclid(DAY_MS);
        let mut found = Vec::new();
        for day in (today.saturating_sub(days)..=today).rev() {
            let of_day = (day, domain);
            let storage = &self.inner.storage;
            found.extend(report_results::list(storage, About::Dmarc, of_day, ROWS_MAX).await?);
        }
        Ok(found)
    }

    /// The next report that is due, if reports are sent; `None`: there are none today.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn next_report(&self) -> Result<Option<DueReport>> {
        let inner = &self.inner;
        if inner.settings.dmarc_reports_from.is_empty() {
            return Ok(None);
        }
        let from = EmailAddress::new(&inner.settings.dmarc_reports_from)?;
        let today = inner.clock.now_ms().div_euclid(DAY_MS);
        let due = report_results::find_before(&inner.storage, About::Dmarc, today, None).await?;
        let Some((day, domain)) = due else { return Ok(None) };
        let of_day = (day, domain.as_str());
        let counted = report_results::list(&inner.storage, About::Dmarc, of_day, ROWS_MAX).await?;
        let to = match counted.first() {
            Some(first) => self.entitled(&domain, &first.to).await?,
            None => Vec::new(),
        };
        let mut content = Vec::new();
        if !to.is_empty() {
            let submitter = from.domain().to_owned();
            let sender = from.to_string();
            let to = to.iter().map(ToString::to_string).collect::<Vec<_>>();
            self.compose(day, &domain, &counted)
                .write_rfc5322(
                    &submitter,
                    sender.as_str(),
                    to.iter().map(String::as_str),
                    &mut content,
                )
                .map_err(|error| Error::internal("composing a report", error))?;
        }
        Ok(Some(DueReport { from, to, content, day, domain }))
    }

    /// The report was sent, or need not be.
    ///
    /// # Errors
    /// `Unavailable`; it may be sent once more then.
    pub async fn finish_report(&self, report: &DueReport) -> Result<()> {
        report_results::forget(&self.inner.storage, About::Dmarc, report.day, &report.domain).await
    }

    /// Those of the addresses who want reports about the domain: others must say so themselves (RFC
    /// 7489 §7.1).
    pub(super) async fn entitled(
        &self,
        domain: &str,
        wanted: &[String],
    ) -> Result<Vec<EmailAddress>> {
        let policy_domain = self.policy_domain(domain).await;
        let addresses: Vec<&str> =
            wanted.iter().map(|uri| uri.strip_prefix("mailto:").unwrap_or(uri)).collect();
        let asked = self.inner.authenticator.verify_dmarc_report_address(
            &policy_domain,
            &addresses,
            None::<&mail_auth::common::cache::NoCache<Box<str>, mail_auth::Txt>>,
        );
        let allowed = asked.await.ok_or(Error::Unavailable {
            reason: "the DNS does not say who may have a report",
            source: None,
        })?;
        Ok(allowed.into_iter().filter_map(|address| EmailAddress::new(address).ok()).collect())
    }

    /// Where the policy for a domain is published: at it, or above.
    async fn policy_domain(&self, domain: &str) -> String {
        let mut name = domain;
        while name.contains('.') {
            let found = self.inner.resolver.txt(&format!("_dmarc.{name}")).await;
            if found.is_ok_and(|txt| txt.records.iter().any(|text| text.starts_with(b"v=DMARC1"))) {
                return name.to_owned();
            }
            name = name.split_once('.').map_or("", |(_, parent)| parent);
        }
        domain.to_owned()
    }

    fn compose(&self, day: i64, domain: &str, counted: &[Counted]) -> Report {
        let settings = &self.inner.settings;
        let seconds = |day: i64| u64::try_from(day.saturating_mul(86_400)).unwrap_or(0);
        let mut report = Report::new()
            .with_version(1.0)
            .with_org_name(self.inner.hostname.as_str())
            .with_email(settings.dmarc_reports_from.as_str())
            .with_report_id(format!("{day}.{domain}@{}", self.inner.hostname))
            .with_date_range_begin(seconds(day))
            .with_date_range_end(seconds(day.saturating_add(1)).saturating_sub(1));
        let policy = counted.iter().find_map(|counted| serde_json::from_str(&counted.policy).ok());
        if let Some(policy) = policy {
            report = report.with_policy_published(policy);
        }
        for counted in counted {
            let Ok(record) = serde_json::from_str::<Record>(&counted.row) else { continue };
            let count = u32::try_from(counted.count).unwrap_or(u32::MAX);
            report.add_record(record.with_count(count));
        }
        report
    }
}
