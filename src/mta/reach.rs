//! The way to a server that takes mail for a next hop: its hosts in order, each one's addresses,
//! with TLS as it is demanded (RFC 5321 §5.1).

use super::Context;
use super::connection::{Connection, Peer, Security, Unopened};
use super::problem::{Problem, TlsFailure};
use super::route::{self, Hop, Host, Server};
use super::settings::{Pool, TlsLevel};
use super::tls_policy::{self, Wish};
use super::tls_report::Watch;
use crate::net::tls_client::Trust;
use std::net::{IpAddr, SocketAddr};

/// Opens a connection to the next hop.
///
/// # Errors
/// Why none of its hosts can be reached; it stays only if it stays for all of them.
pub async fn reach(
    ctx: &Context,
    hop: &Hop,
    wish: Wish,
    pool: Option<&Pool>,
) -> Result<Connection, Problem> {
    let domain = match hop {
        Hop::Server(server) => return reach_server(ctx, server, wish, pool).await,
        Hop::Domain(domain) => domain,
        Hop::Url(_) => return Err(Problem::permanent((5, 3, 5), "that is no mail server")),
    };
    let hosts = route::exchangers(ctx, domain).await?;
    let policy = tls_policy::find(ctx, domain, wish).await;
    let mut problem = None;
    for host in &hosts {
        let reached = match prepare(ctx, domain, host, &policy, wish).await {
            Ok((addresses, security, watch)) => {
                let (host, port) = (host.name.as_str(), ctx.settings.port);
                let place = Place { host, port, security, server: None, pool };
                try_addresses(ctx, &place, &addresses, watch.as_ref()).await
            }
            Err(problem) => Err(problem),
        };
        match reached {
            Ok(connection) => return Ok(connection),
            Err(failed) => keep(&mut problem, failed.at(&host.name, None)),
        }
    }
    Err(problem.unwrap_or_else(|| Problem::temporary((4, 4, 4), "there are no hosts")))
}

/// The last problem that may pass, or else the last one.
fn keep(problem: &mut Option<Problem>, failed: Problem) {
    if problem.as_ref().is_none_or(|kept| kept.is_permanent || !failed.is_permanent) {
        *problem = Some(failed);
    }
}

async fn reach_server(
    ctx: &Context,
    server: &Server,
    wish: Wish,
    pool: Option<&Pool>,
) -> Result<Connection, Problem> {
    let level = if wish == Wish::Required { TlsLevel::Verified } else { server.tls };
    let security = Security {
        trust: if level == TlsLevel::Verified { Trust::Names } else { Trust::Any },
        is_required: level > TlsLevel::Opportunistic,
        is_at_once: server.is_tls_at_once,
    };
    let (addresses, _) = route::addresses(ctx, &server.host).await?;
    let (host, port) = (server.host.as_str(), server.port);
    let place = Place { host, port, security, server: Some(server), pool };
    try_addresses(ctx, &place, &addresses, None).await
}

/// The addresses of a host, what a connection to it must have, and what is counted of it.
async fn prepare(
    ctx: &Context,
    domain: &str,
    host: &Host,
    policy: &tls_policy::Policy,
    wish: Wish,
) -> Result<(Vec<IpAddr>, Security, Option<Watch>), Problem> {
    let (addresses, is_secure) = route::addresses(ctx, &host.name).await?;
    let is_secure = host.is_secure && is_secure;
    let (security, basis) = tls_policy::security(ctx, host, is_secure, policy, wish).await?;
    let watch = match wish {
        // RFC 8460 §3: what is sent without regard to policies is not counted
        Wish::Waived => None,
        Wish::Unsaid | Wish::Required => Watch::find(ctx, domain, host, policy, &basis).await,
    };
    // DANE is asked first (RFC 8461 §2)
    if !policy.allows(&host.name) && !matches!(security.trust, Trust::Dane(_)) {
        if let Some(watch) = watch {
            watch.note(ctx, None, Err(TlsFailure::Name)).await;
        }
        return Err(Problem::temporary((4, 7, 5), "MTA-STS: the policy has no such host"));
    }
    Ok((addresses, security, watch))
}

/// A host, and how it is connected to.
struct Place<'a> {
    host: &'a str,
    port: u16,
    security: Security,
    server: Option<&'a Server>,
    pool: Option<&'a Pool>,
}

async fn try_addresses(
    ctx: &Context,
    place: &Place<'_>,
    addresses: &[IpAddr],
    watch: Option<&Watch>,
) -> Result<Connection, Problem> {
    let mut problem = None;
    let Place { host, port, security, server, pool } = place;
    for address in addresses {
        let address = SocketAddr::new(*address, *port);
        let peer = Peer { host, address, security: security.clone(), server: *server, pool: *pool };
        match Box::pin(open(ctx, peer, watch)).await {
            Ok(connection) => return Ok(connection),
            Err(failed) => keep(&mut problem, failed.at(host, Some(address.ip()))),
        }
    }
    Err(problem.unwrap_or_else(|| Problem::temporary((4, 4, 4), "there are no addresses")))
}

/// Opportunistic TLS that fails is done without (RFC 7435 §3); if it failed for who the server is,
/// it is first done with anybody.
async fn open(
    ctx: &Context,
    mut peer: Peer<'_>,
    watch: Option<&Watch>,
) -> Result<Connection, Problem> {
    let address = Some(peer.address.ip());
    let note = async |result| {
        if let Some(watch) = watch {
            watch.note(ctx, address, result).await;
        }
    };
    let first = match Connection::open(ctx, &peer, true).await {
        Ok(connection) => {
            let is_safe = connection.tls().is_some();
            note(if is_safe { Ok(()) } else { Err(TlsFailure::NotOffered) }).await;
            return Ok(connection);
        }
        Err(Unopened::Problem(problem)) => {
            if let Some(failure) = problem.tls {
                note(Err(failure)).await;
            }
            return Err(problem);
        }
        Err(Unopened::Tls(problem)) => problem,
    };
    note(Err(first.tls.unwrap_or(TlsFailure::Other))).await;
    tracing::info!(host = peer.host, reason = first.words, "TLS failed; going on without");
    metrics::counter!("eider_mta_tls_failures_total").increment(1);
    if std::mem::replace(&mut peer.security.trust, Trust::Any) != Trust::Any {
        match Connection::open(ctx, &peer, true).await {
            Ok(connection) => return Ok(connection),
            Err(Unopened::Problem(problem)) => return Err(problem),
            Err(Unopened::Tls(_)) => {}
        }
    }
    match Connection::open(ctx, &peer, false).await {
        Ok(connection) => Ok(connection),
        Err(Unopened::Problem(problem) | Unopened::Tls(problem)) => Err(problem),
    }
}
