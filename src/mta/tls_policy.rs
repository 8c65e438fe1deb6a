//! What a connection must have: what the message asks for (RFC 8689), else DANE (RFC 7672), else
//! MTA-STS (RFC 8461), else whatever the server offers.

use super::Context;
use super::connection::Security;
use super::policies::{self, Found, Missing};
use super::problem::Problem;
use super::route::Host;
use crate::codec::mta_sts::{Mode, StsPolicy};
use crate::model::dsn::MessageOptions;
use crate::net::dns::{Failure, Tlsa};
use crate::net::tls_client::{Trust, is_usable};
use std::sync::Arc;

/// What the sender says about TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Nothing: the recipient's domain decides.
    Unsaid,
    /// REQUIRETLS (RFC 8689 §4.2.1).
    Required,
    /// `TLS-Required: No` (RFC 8689 §5): the domain's policies are not asked for.
    Waived,
}

impl Wish {
    /// Of a message; REQUIRETLS is stronger (RFC 8689 §4.1).
    pub const fn of(options: &MessageOptions) -> Self {
        match (options.requires_tls, options.waives_tls) {
            (true, _) => Self::Required,
            (false, true) => Self::Waived,
            (false, false) => Self::Unsaid,
        }
    }
}

/// What a domain demands by MTA-STS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// What it says.
    pub found: Found,
}

impl Policy {
    fn of_mode(&self, mode: Mode) -> Option<&Arc<StsPolicy>> {
        match &self.found {
            Found::Policy(policy) if policy.mode == mode => Some(policy),
            _ => None,
        }
    }

    /// The policy, however it is meant.
    pub fn any(&self) -> Option<&StsPolicy> {
        match &self.found {
            Found::Policy(policy) if policy.mode != Mode::None => Some(policy),
            _ => None,
        }
    }

    /// Whether mail may go to this host.
    pub fn allows(&self, host: &str) -> bool {
        self.of_mode(Mode::Enforce).is_none_or(|policy| policy.has_host(host))
    }
}

/// The policy of a domain.
pub async fn find(ctx: &Context, domain: &str, wish: Wish) -> Policy {
    let found = match ctx.settings.mta_sts && wish != Wish::Waived {
        true => policies::find(ctx, domain).await,
        false => Found::Nothing,
    };
    Policy { found }
}

/// Why a connection must have what it must, in reports (RFC 8460 §4.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Basis {
    /// TLSA records.
    Dane(Vec<Tlsa>),
    /// A policy, also one that is only tested.
    Sts(Arc<StsPolicy>),
    /// A policy that could not be had.
    Missing(Missing),
    /// Nothing is demanded.
    Nothing,
}

/// How a host is connected to, and why. `is_secure`: DNSSEC proved the way to it.
///
/// # Errors
/// Its TLSA records could not be asked for: it must not be connected to (RFC 7672 §2.1). The
/// message wants what it cannot have.
pub async fn security(
    ctx: &Context,
    host: &Host,
    is_secure: bool,
    policy: &Policy,
    wish: Wish,
) -> Result<(Security, Basis), Problem> {
    let with = |trust, is_required| Security { trust, is_required, is_at_once: false };
    if wish == Wish::Waived {
        return Ok((with(Trust::Any, false), Basis::Nothing));
    }
    if is_secure
        && ctx.settings.dane
        && let Some(usable) = tlsa(ctx, host).await?
    {
        // RFC 7672 §2.2: none usable, then any TLS; but REQUIRETLS wants to know who it is
        let trust = match (usable.is_empty(), wish) {
            (false, _) => Trust::Dane(usable.clone()),
            (true, Wish::Required) => Trust::Names,
            (true, _) => Trust::Any,
        };
        return Ok((with(trust, true), Basis::Dane(usable)));
    }
    let (enforced, tested) = (policy.of_mode(Mode::Enforce), policy.of_mode(Mode::Testing));
    let known = enforced.or(tested).filter(|policy| policy.has_host(&host.name));
    // RFC 8689 §4.2.1: the way to the host is proved, too
    if wish == Wish::Required && !is_secure && known.is_none() {
        let words = "REQUIRETLS: neither DNSSEC nor MTA-STS says that this is the domain's host";
        return Err(Problem::permanent((5, 7, 30), words));
    }
    let basis = match (known, &policy.found) {
        (Some(policy), _) => Basis::Sts(Arc::clone(policy)),
        (None, Found::Missing(missing)) => Basis::Missing(*missing),
        (None, _) => Basis::Nothing,
    };
    let is_required = wish == Wish::Required || enforced.is_some();
    let trust = if is_required || known.is_some() { Trust::Names } else { Trust::Any };
    Ok((with(trust, is_required), basis))
}

/// The usable TLSA records of a host; `None`: it has none at all.
async fn tlsa(ctx: &Context, host: &Host) -> Result<Option<Vec<Tlsa>>, Problem> {
    let name = format!("_{}._tcp.{}", ctx.settings.port, host.name);
    match ctx.resolver.tlsa(&name).await {
        Ok(answer) if answer.is_secure => {
            Ok(Some(answer.records.into_iter().filter(is_usable).collect()))
        }
        Ok(_) | Err(Failure::NoDomain | Failure::NoData) => Ok(None),
        Err(failure) => Err(Problem::temporary((4, 7, 5), format!("DANE: {failure}"))),
    }
}
