//! Who really sent it: iprev, SPF, DKIM, ARC and DMARC → Authentication-Results (RFC 8601).
//!
//! `mail_auth` does the cryptography and the records. All questions about one message are asked at
//! the same time, and what is not answered by the deadline is a temperror: that never refuses mail.

use super::failure::Failure;
use super::{Inner, failure, report};
use crate::model::address::EmailAddress;
use crate::storage::report_results::Counted;
use bytes::Bytes;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dmarc::Policy;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimOutput, DkimResult, DmarcOutput,
    DmarcResult, DnsError, Error, IprevOutput, IprevResult, SpfOutput, SpfResult,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// DKIM signatures that are verified; each costs a question and a hash of the content.
const SIGNATURES_MAX: usize = 10;
/// From this size on the hashing is done beside the runtime's threads.
const LARGE_OCTETS: usize = 256 * 1024;

/// SPF of both identities (RFC 7208 §2.3, §2.4).
#[derive(Clone, Debug)]
pub(super) struct Spf {
    /// HELO; nothing for a name that has no SPF.
    pub(super) helo: Option<SpfOutput>,
    /// MAIL FROM, or `postmaster@helo` for the null path.
    pub(super) mail: SpfOutput,
}

/// What is known of a client when his message is there.
pub(super) struct Facts {
    pub(super) peer: IpAddr,
    pub(super) helo: String,
    pub(super) sender: Option<EmailAddress>,
    pub(super) iprev: IprevOutput,
    pub(super) spf: Spf,
}

/// What the domain of From wants done with a message that is not from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Nothing,
    Quarantine,
    Reject,
}

/// What came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Authenticated {
    /// The field, CRLF-ended.
    pub(super) line: String,
    /// Method and result, for trace and metrics.
    pub(super) results: Vec<(&'static str, &'static str)>,
    /// DMARC's.
    pub(super) wish: Wish,
    /// The domain of From, as DMARC saw it.
    pub(super) from_domain: String,
    /// What is to be counted for the domain's report.
    pub(super) counted: Option<Counted>,
    /// What is to be told to the domain at once.
    pub(super) failure: Option<Failure>,
}

fn late() -> Error {
    Error::Dns(DnsError::Resolver("no answer in time".to_owned()))
}

impl Inner {
    fn deadline(&self) -> Duration {
        Duration::from_millis(self.settings.deadline_ms)
    }
}

/// Whether the client's address has a name that leads back to it (RFC 8601 §3).
pub(super) async fn iprev(inner: &Inner, peer: IpAddr) -> IprevOutput {
    let asked = inner.authenticator.verify_iprev(peer.to_canonical());
    let found = tokio::time::timeout(inner.deadline(), asked).await;
    found.unwrap_or_else(|_| IprevOutput { result: IprevResult::TempError(late()), ptr: None })
}

/// SPF of both identities at the same time.
pub(super) async fn spf(
    inner: &Inner,
    peer: IpAddr,
    helo: &str,
    sender: Option<&EmailAddress>,
) -> Spf {
    let peer = peer.to_canonical();
    let host = inner.hostname.as_str();
    let sender = match sender {
        Some(sender) => sender.to_string(),
        None => format!("postmaster@{helo}"),
    };
    let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain);
    // RFC 7208 §2.3: only a name that can have records
    let has_name = helo.contains('.') && !helo.starts_with('[');
    let (helo, mail) = tokio::join!(
        async {
            match has_name {
                true => {
                    let asked = SpfParameters::verify_ehlo(peer, helo, host);
                    Some(check_host(inner, asked, helo).await)
                }
                false => None,
            }
        },
        check_host(inner, SpfParameters::verify_mail_from(peer, helo, host, &sender), domain),
    );
    Spf { helo, mail }
}

async fn check_host(inner: &Inner, asked: SpfParameters<'_>, domain: &str) -> SpfOutput {
    let asked = Box::pin(inner.authenticator.verify_spf(asked));
    let found = tokio::time::timeout(inner.deadline(), asked).await;
    let late = |_| SpfOutput::new(domain.to_owned()).with_result(SpfResult::TempError);
    found.unwrap_or_else(late)
}

/// Verifies the message and writes the field.
pub(super) async fn message(inner: &Arc<Inner>, facts: Facts, content: Bytes) -> Authenticated {
    if content.len() < LARGE_OCTETS {
        return Box::pin(verify(inner, &facts, &content)).await;
    }
    let (inner_too, runtime) = (Arc::clone(inner), tokio::runtime::Handle::current());
    let work = move || runtime.block_on(verify(&inner_too, &facts, &content));
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        tracing::error!(%error, "the authentication of a message failed");
        let line = AuthenticationResults::new(&inner.hostname).to_header();
        Authenticated {
            line,
            results: Vec::new(),
            wish: Wish::Nothing,
            from_domain: String::new(),
            counted: None,
            failure: None,
        }
    })
}

async fn verify(inner: &Inner, facts: &Facts, content: &[u8]) -> Authenticated {
    // Strict: a body length in a signature (`l=`) lets anybody append (RFC 6376 §8.2)
    let parsed = AuthenticatedMessage::parse_with_opts(content, None, true);
    let mut message = parsed.unwrap_or_default();
    message.dkim_headers.truncate(SIGNATURES_MAX);
    let (dkim, arc) = tokio::join!(
        tokio::time::timeout(inner.deadline(), Box::pin(inner.authenticator.verify_dkim(&message))),
        tokio::time::timeout(inner.deadline(), Box::pin(inner.authenticator.verify_arc(&message))),
    );
    let is_late = dkim.is_err();
    let dkim = dkim.unwrap_or_else(|_| vec![DkimOutput::temp_err(late())]);
    let arc = arc.ok();
    let dmarc = dmarc(inner, facts, &message, &dkim).await;
    let wish = if is_late { Wish::Nothing } else { wish(&dmarc) };
    let line = field(inner, facts, message.from(), &dkim, arc.as_ref(), &dmarc);
    Authenticated {
        failure: failure::failure(inner, facts, content, &line, &dmarc),
        line,
        results: results(facts, &dkim, arc.as_ref(), &dmarc),
        wish,
        from_domain: dmarc.domain().to_owned(),
        counted: report::result(inner, facts, &dkim, &dmarc),
    }
}

async fn dmarc(
    inner: &Inner,
    facts: &Facts,
    message: &AuthenticatedMessage<'_>,
    dkim: &[DkimOutput<'_>],
) -> DmarcOutput {
    let sender_domain = facts.sender.as_ref().map_or(facts.helo.as_str(), EmailAddress::domain);
    let parameters = DmarcParameters {
        message,
        dkim_output: dkim,
        dkim2_output: None,
        rfc5321_mail_from_domain: sender_domain,
        spf_output: &facts.spf.mail,
    };
    let asked = Box::pin(inner.authenticator.verify_dmarc(parameters));
    match tokio::time::timeout(inner.deadline(), asked).await {
        Ok(output) => output,
        Err(_) => DmarcOutput::default()
            .with_spf_result(DmarcResult::TempError(late()))
            .with_dkim_result(DmarcResult::TempError(late())),
    }
}

fn wish(dmarc: &DmarcOutput) -> Wish {
    match (dmarc.result(), dmarc.policy()) {
        (DmarcResult::Fail(_) | DmarcResult::PermError(_), Policy::Reject) => Wish::Reject,
        (DmarcResult::Fail(_) | DmarcResult::PermError(_), Policy::Quarantine) => Wish::Quarantine,
        _ => Wish::Nothing,
    }
}

fn field(
    inner: &Inner,
    facts: &Facts,
    from: &str,
    dkim: &[DkimOutput<'_>],
    arc: Option<&ArcOutput<'_>>,
    dmarc: &DmarcOutput,
) -> String {
    let Facts { peer, helo, sender, iprev, spf } = facts;
    let peer = peer.to_canonical();
    let sender = sender.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut field = AuthenticationResults::new(&inner.hostname).with_iprev_result(iprev, peer);
    if let Some(output) = &spf.helo {
        field = field.with_spf_ehlo_result(output, peer, helo);
    }
    field = field.with_spf_mailfrom_result(&spf.mail, peer, &sender, helo);
    field = field.with_dkim_results(dkim, from);
    if let Some(arc) = arc.filter(|arc| *arc.result() != DkimResult::None) {
        field = field.with_arc_result(arc, peer);
    }
    field.with_dmarc_result(dmarc).to_header()
}

fn results(
    facts: &Facts,
    dkim: &[DkimOutput<'_>],
    arc: Option<&ArcOutput<'_>>,
    dmarc: &DmarcOutput,
) -> Vec<(&'static str, &'static str)> {
    let mut results = vec![("iprev", iprev_name(facts.iprev.result()))];
    results.push(("spf", spf_name(facts.spf.mail.result())));
    let best = dkim.iter().map(|output| dkim_name(output.result()));
    // One word for all signatures: a valid one counts
    let best = best.reduce(|best, next| if best == "pass" { best } else { next });
    results.push(("dkim", best.unwrap_or("none")));
    results.push(("arc", arc.map_or("temperror", |arc| dkim_name(arc.result()))));
    results.push(("dmarc", dmarc_name(&dmarc.result())));
    results
}

pub(super) const fn iprev_name(result: &IprevResult) -> &'static str {
    match result {
        IprevResult::Pass => "pass",
        IprevResult::Fail(_) => "fail",
        IprevResult::TempError(_) => "temperror",
        IprevResult::PermError(_) => "permerror",
        IprevResult::None => "none",
    }
}

pub(super) const fn spf_name(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    }
}

const fn dkim_name(result: &DkimResult) -> &'static str {
    match result {
        DkimResult::Pass => "pass",
        DkimResult::Neutral(_) => "neutral",
        DkimResult::Fail(_) => "fail",
        DkimResult::PermError(_) => "permerror",
        DkimResult::TempError(_) => "temperror",
        DkimResult::None => "none",
    }
}

const fn dmarc_name(result: &DmarcResult) -> &'static str {
    match result {
        DmarcResult::Pass => "pass",
        DmarcResult::Fail(_) => "fail",
        DmarcResult::TempError(_) => "temperror",
        DmarcResult::PermError(_) => "permerror",
        DmarcResult::None => "none",
    }
}
