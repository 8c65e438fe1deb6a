//! What a connection must have: DANE (RFC 7672) before MTA-STS (RFC 8461) before whatever the server
//! offers.

use super::Context;
use super::connection::Security;
use super::policies;
use super::problem::Problem;
use super::route::Host;
use crate::net::dns::Failure;
use crate::net::tls_client::{Trust, is_usable};

/// What a domain demands by MTA-STS.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Patterns of its hosts, when it enforces them.
    pub enforced: Option<Vec<String>>,
}

impl Policy {
    /// Whether mail may go to this host.
    pub fn allows(&self, host: &str) -> bool {
        let Some(patterns) = &self.enforced else { return true };
        patterns.iter().any(|pattern| matches(pattern, host))
    }
}

/// RFC 8461 §4.1: `*.` stands for one label.
fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// The policy of a domain.
pub async fn find(ctx: &Context, domain: &str) -> Policy {
    let enforced = match ctx.settings.mta_sts {
        true => policies::enforced(ctx, domain).await,
        false => None,
    };
    Policy { enforced }
}

/// How a host is connected to. `is_secure`: DNSSEC proved the way to it.
///
/// # Errors
/// Its TLSA records could not be asked for: it must not be connected to (RFC 7672 §2.1).
pub async fn security(
    ctx: &Context,
    host: &Host,
    is_secure: bool,
    policy: &Policy,
    requires_tls: bool,
) -> Result<Security, Problem> {
    let demanded = |trust| Security { trust, is_required: true, is_at_once: false };
    if is_secure && ctx.settings.dane {
        let name = format!("_{}._tcp.{}", ctx.settings.port, host.name);
        match ctx.resolver.tlsa(&name).await {
            Ok(answer) if answer.is_secure => {
                let usable: Vec<_> = answer.records.into_iter().filter(is_usable).collect();
                // RFC 7672 §2.2: none usable, then any TLS
                let trust = if usable.is_empty() { Trust::Any } else { Trust::Dane(usable) };
                return Ok(demanded(trust));
            }
            Ok(_) | Err(Failure::NoDomain | Failure::NoData) => {}
            Err(failure) => {
                let words = format!("DANE: {failure}");
                return Err(Problem::temporary((4, 7, 5), words));
            }
        }
    }
    if policy.enforced.is_some() || requires_tls {
        return Ok(demanded(Trust::Names));
    }
    Ok(Security { trust: Trust::Any, is_required: false, is_at_once: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_one_label() {
        let patterns = vec!["mx.b.example".to_owned(), "*.c.example".to_owned()];
        let policy = Policy { enforced: Some(patterns) };
        assert!(policy.allows("MX.b.example") && policy.allows("x.c.example"));
        for host in ["b.example", "x.b.example", "c.example", "y.x.c.example", ".c.example"] {
            assert!(!policy.allows(host), "{host}");
        }
        assert!(Policy::default().allows("anything"));
    }
}
