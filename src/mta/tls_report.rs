//! Reports to other domains about TLS of connections to their servers (RFC 8460): counted by all
//! nodes for each domain that asks, sent once a day by one of them.

use super::Context;
use super::policies::Missing;
use super::problem::TlsFailure;
use super::route::Host;
use super::tls_policy::{Basis, Policy};
use crate::cluster::lease::Leases;
use crate::codec::tls_rpt::{Place, parse_record};
use crate::model::address::EmailAddress;
use crate::model::error::{Error, Result};
use crate::net::dns::Tlsa;
use crate::net::http;
use crate::queue::next_hop::Counted;
use crate::tasks::Tasks;
use flate2::Compression;
use flate2::write::GzEncoder;
use mail_auth::report::tlsrpt::{DateRange, Summary};
use mail_auth::report::tlsrpt::{
    FailureDetails, Policy as ReportPolicy, PolicyDetails, PolicyType, ResultType, TlsReport,
};
use serde_json::Value;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How often a node looks whether a day is over.
const PERIOD: Duration = Duration::from_secs(3600);
/// The first look.
const FIRST: Duration = Duration::from_secs(5);
/// How long a node that is sending outlives its lease.
const LEASE: Duration = Duration::from_secs(60);
/// Time for a server that takes reports.
const POST: Duration = Duration::from_secs(60);
const DAY_S: i64 = 86_400;

/// What is counted of connections to a host.
#[derive(Clone, Debug)]
pub struct Watch {
    domain: String,
    host: String,
    /// Who wants to know.
    to: Vec<String>,
    policy: PolicyDetails,
    missing: Option<Missing>,
    /// The policy does not have this host.
    is_other_host: bool,
}

impl Watch {
    /// `None`: the domain does not ask, or nothing is sent.
    pub async fn find(
        ctx: &Context,
        domain: &str,
        host: &Host,
        policy: &Policy,
        basis: &Basis,
    ) -> Option<Self> {
        if ctx.settings.tls_reports_from.is_empty() {
            return None;
        }
        let answer = ctx.resolver.txt(&format!("_smtp._tls.{domain}")).await.ok()?;
        // RFC 8460 §3: more than one is none
        let mut records = answer.records.iter().filter_map(|record| parse_record(record));
        let to = records.next().filter(|_| records.next().is_none())?;
        let missing = match basis {
            Basis::Missing(missing) => Some(*missing),
            Basis::Dane(_) | Basis::Sts(_) | Basis::Nothing => None,
        };
        let is_other_host = *basis == Basis::Nothing && policy.any().is_some();
        let policy = details(domain, &host.name, policy, basis);
        let (domain, host) = (domain.to_owned(), host.name.clone());
        Some(Self { domain, host, to, policy, missing, is_other_host })
    }

    /// Counts a connection. What cannot be counted is not reported.
    pub async fn note(
        &self,
        ctx: &Context,
        address: Option<IpAddr>,
        result: std::result::Result<(), TlsFailure>,
    ) {
        let failure = match (self.missing, result) {
            (Some(Missing::Unfetched), _) => Some(ResultType::StsPolicyFetchError),
            (Some(Missing::Invalid), _) => Some(ResultType::StsPolicyInvalid),
            (None, Err(failure)) => Some(self.result_type(failure)),
            (None, Ok(())) if self.is_other_host => Some(ResultType::CertificateHostMismatch),
            (None, Ok(())) => None,
        };
        let row = failure.map(|result_type| FailureDetails {
            result_type,
            receiving_mx_hostname: Some(self.host.clone()),
            receiving_ip: address,
            ..FailureDetails::default()
        });
        let text = |row| serde_json::to_string(row).unwrap_or_default();
        let queue = ctx.delivery.queue();
        let counted = Counted {
            day: queue.today(),
            domain: self.domain.clone(),
            policy: serde_json::to_string(&self.policy).unwrap_or_default(),
            row: row.as_ref().map(text).unwrap_or_default(),
            to: self.to.clone(),
            count: 1,
        };
        if let Err(error) = queue.count_tls(&counted).await {
            tracing::warn!(%error, "a TLS result is not counted");
        }
    }

    const fn result_type(&self, failure: TlsFailure) -> ResultType {
        match (failure, self.policy.policy_type) {
            (TlsFailure::NotOffered, _) => ResultType::StartTlsNotSupported,
            // RFC 8460 §4.3.2.1: TLSA records and authorities are not the same
            (_, PolicyType::Tlsa) => ResultType::ValidationFailure,
            (TlsFailure::Name, _) => ResultType::CertificateHostMismatch,
            (TlsFailure::Time, _) => ResultType::CertificateExpired,
            (TlsFailure::Trust, _) => ResultType::CertificateNotTrusted,
            (TlsFailure::Other, _) => ResultType::ValidationFailure,
        }
    }
}

/// RFC 8460 §4.4
fn details(domain: &str, host: &str, policy: &Policy, basis: &Basis) -> PolicyDetails {
    let of = |policy_type, policy_string, mx_host| PolicyDetails {
        policy_type,
        policy_string,
        policy_domain: domain.to_owned(),
        mx_host,
    };
    match basis {
        Basis::Dane(records) => {
            of(PolicyType::Tlsa, records.iter().map(tlsa).collect(), vec![host.to_owned()])
        }
        Basis::Sts(policy) => of(PolicyType::Sts, policy.lines(), policy.patterns.clone()),
        Basis::Missing(_) => of(PolicyType::Sts, Vec::new(), Vec::new()),
        Basis::Nothing => match policy.any() {
            // One that does not have this host
            Some(policy) => of(PolicyType::Sts, policy.lines(), policy.patterns.clone()),
            None => of(PolicyType::NoPolicyFound, Vec::new(), Vec::new()),
        },
    }
}

/// RFC 6698 §2.2
fn tlsa(record: &Tlsa) -> String {
    let data: String = record.data.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{} {} {} {data}", record.usage, record.selector, record.matching)
}

/// Sends what is due, now and then, until the node stops.
pub async fn run(ctx: Context, leases: Leases, tasks: Tasks) {
    let stopping = tasks.stopping();
    let mut pause = FIRST;
    loop {
        let pause_now = pause.mul_f64(rand::random_range(0.5..1.5));
        if stopping.run_until_cancelled(tokio::time::sleep(pause_now)).await.is_none() {
            return;
        }
        pause = PERIOD;
        let sending = stopping.run_until_cancelled(send_due(&ctx, &leases));
        if let Some(Err(error)) = sending.await {
            tracing::warn!(%error, "TLS reports are sent later");
        }
    }
}

async fn send_due(ctx: &Context, leases: &Leases) -> Result<()> {
    let Some(lease) = leases.acquire("mta:tls-reports", LEASE).await? else { return Ok(()) };
    let mut last = None;
    while let Some((day, domain)) = ctx.delivery.queue().next_tls(last.as_ref()).await? {
        if !lease.confirm().await? {
            return Ok(());
        }
        if send(ctx, day, &domain).await? {
            ctx.delivery.queue().forget_tls(day, &domain).await?;
        }
        last = Some((day, domain));
    }
    lease.release().await;
    Ok(())
}

/// Sends the report of a day to a domain; whether somebody got it, or never will.
async fn send(ctx: &Context, day: i64, domain: &str) -> Result<bool> {
    let counted = ctx.delivery.queue().list_tls(day, domain).await?;
    let places: Vec<Place> = counted
        .iter()
        .flat_map(|row| &row.to)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .filter_map(|uri| Place::new(uri))
        .collect();
    let packed = packed(&report(ctx, day, domain, &counted))?;
    let mut is_done = places.is_empty();
    let addresses = places.iter().filter_map(|place| match place {
        Place::Mail(address) => EmailAddress::new(address).ok(),
        Place::Url(_) => None,
    });
    let addresses: Vec<EmailAddress> = addresses.collect();
    if !addresses.is_empty() {
        let mail = mail(ctx, &report(ctx, day, domain, &counted), domain, &addresses, &packed)?;
        ctx.delivery.send_report(mail.into(), &addresses).await?;
        is_done = true;
    }
    for place in places {
        let Place::Url(url) = place else { continue };
        match post(ctx, &url, packed.clone()).await {
            Ok(()) => is_done = true,
            Err(reason) => tracing::info!(domain, url, reason, "a TLS report was not taken"),
        }
    }
    let result = if is_done { "sent" } else { "failed" };
    metrics::counter!("eider_mta_tls_reports_total", "result" => result).increment(1);
    Ok(is_done)
}

/// The report in RFC 8460 §4.
fn report(ctx: &Context, day: i64, domain: &str, counted: &[Counted]) -> TlsReport {
    let mut policies: Vec<(&str, ReportPolicy)> = Vec::new();
    for row in counted {
        let index =
            policies.iter().position(|(text, _)| *text == row.policy).unwrap_or_else(|| {
                let policy = ReportPolicy {
                    policy: serde_json::from_str(&row.policy).unwrap_or_default(),
                    summary: Summary { total_success: 0, total_failure: 0 },
                    failure_details: Vec::new(),
                };
                policies.push((&row.policy, policy));
                policies.len().saturating_sub(1)
            });
        let Some((_, policy)) = policies.get_mut(index) else { continue };
        let count = u32::try_from(row.count).unwrap_or(u32::MAX);
        match serde_json::from_str::<FailureDetails>(&row.row) {
            Ok(failure) => {
                let total = &mut policy.summary.total_failure;
                *total = total.saturating_add(count);
                let failure = FailureDetails { failed_session_count: count, ..failure };
                policy.failure_details.push(failure);
            }
            Err(_) => {
                let total = &mut policy.summary.total_success;
                *total = total.saturating_add(count);
            }
        }
    }
    let start = day.saturating_mul(DAY_S);
    TlsReport {
        organization_name: Some(ctx.hostname.to_string()),
        date_range: DateRange::from_timestamps(start, start.saturating_add(DAY_S - 1)),
        contact_info: Some(ctx.settings.tls_reports_from.clone()),
        report_id: format!("{day}.{domain}@{}", ctx.hostname),
        policies: policies.into_iter().map(|(_, policy)| policy).collect(),
    }
}

/// JSON without what is not said, compressed (RFC 8460 §5).
fn packed(report: &TlsReport) -> Result<Vec<u8>> {
    let failed = |error| Error::internal("composing a report", error);
    let mut value = serde_json::to_value(report)
        .map_err(|error| Error::internal("composing a report", error))?;
    without_nulls(&mut value);
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(value.to_string().as_bytes()).map_err(failed)?;
    packer.finish().map_err(failed)
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// RFC 8460 §5.3; signed like any mail of the domain it is from. It is told of failures of TLS, so
/// that it must not fail for them: `TLS-Required: No` (RFC 8689 §5).
fn mail(
    ctx: &Context,
    report: &TlsReport,
    domain: &str,
    to: &[EmailAddress],
    packed: &[u8],
) -> Result<Vec<u8>> {
    let from = EmailAddress::new(&ctx.settings.tls_reports_from)?;
    let sender = from.to_string();
    let to: Vec<String> = to.iter().map(ToString::to_string).collect();
    let mut content = b"TLS-Required: No\r\n".to_vec();
    report
        .write_rfc5322_from_bytes(
            domain,
            from.domain(),
            sender.as_str(),
            to.iter().map(String::as_str),
            packed,
            &mut content,
        )
        .map_err(|error| Error::internal("composing a report", error))?;
    Ok(content)
}

/// RFC 8460 §5.4
async fn post(ctx: &Context, url: &str, packed: Vec<u8>) -> std::result::Result<(), String> {
    let parsed = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
    let host = parsed.host_str().ok_or("there is no host")?;
    let found = ctx.resolver.addresses(host).await.map_err(|failure| failure.to_string())?;
    let port = parsed.port_or_known_default().unwrap_or(443);
    let allowed = found.records.into_iter().filter(|address| ctx.may_connect_to(*address));
    let addresses: Vec<SocketAddr> =
        allowed.map(|address| SocketAddr::new(address, port)).collect();
    if addresses.is_empty() {
        return Err("we may not connect to its network".to_owned());
    }
    let client = http::client_to(&ctx.tls, host, &addresses, POST);
    let client = client.map_err(|error| error.to_string())?;
    let request = client.post(url).header("content-type", "application/tlsrpt+gzip").body(packed);
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("the server answered {status}")) }
}
