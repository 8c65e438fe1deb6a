//! The way to a server that takes mail for a next hop: its hosts in order, each one's addresses,
//! with TLS as it is demanded (RFC 5321 §5.1).

use super::Context;
use super::connection::{Connection, Peer, Security, Unopened};
use super::problem::Problem;
use super::route::{self, Hop, Host, Server};
use super::settings::TlsLevel;
use super::tls_policy;
use crate::net::tls_client::Trust;
use std::net::{IpAddr, SocketAddr};

/// Opens a connection to the next hop.
///
/// # Errors
/// Why none of its hosts can be reached; it stays only if it stays for all of them.
pub async fn reach(ctx: &Context, hop: &Hop, requires_tls: bool) -> Result<Connection, Problem> {
    let domain = match hop {
        Hop::Server(server) => return reach_server(ctx, server, requires_tls).await,
        Hop::Domain(domain) => domain,
        Hop::Url(_) => return Err(Problem::permanent((5, 3, 5), "that is no mail server")),
    };
    let hosts = route::exchangers(ctx, domain).await?;
    let policy = tls_policy::find(ctx, domain).await;
    let mut problem = None;
    for host in &hosts {
        let tried = match policy.allows(&host.name) {
            true => reach_host(ctx, host, &policy, requires_tls).await,
            false => Err(Problem::temporary((4, 7, 5), "MTA-STS: the policy has no such host")),
        };
        match tried {
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
    requires_tls: bool,
) -> Result<Connection, Problem> {
    let level = if requires_tls { TlsLevel::Verified } else { server.tls };
    let security = Security {
        trust: if level == TlsLevel::Verified { Trust::Names } else { Trust::Any },
        is_required: level > TlsLevel::Opportunistic,
        is_at_once: server.is_tls_at_once,
    };
    let (addresses, _) = route::addresses(ctx, &server.host).await?;
    let host = (server.host.as_str(), server.port);
    try_addresses(ctx, host, &addresses, &security, Some(server)).await
}

async fn reach_host(
    ctx: &Context,
    host: &Host,
    policy: &tls_policy::Policy,
    requires_tls: bool,
) -> Result<Connection, Problem> {
    let (addresses, is_secure) = route::addresses(ctx, &host.name).await?;
    let is_secure = host.is_secure && is_secure;
    let security = tls_policy::security(ctx, host, is_secure, policy, requires_tls).await?;
    let place = (host.name.as_str(), ctx.settings.port);
    try_addresses(ctx, place, &addresses, &security, None).await
}

async fn try_addresses(
    ctx: &Context,
    (host, port): (&str, u16),
    addresses: &[IpAddr],
    security: &Security,
    server: Option<&Server>,
) -> Result<Connection, Problem> {
    let mut problem = None;
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        let peer = Peer { host, address, security: security.clone(), server };
        match Box::pin(open(ctx, &peer)).await {
            Ok(connection) => return Ok(connection),
            Err(failed) => keep(&mut problem, failed.at(host, Some(address.ip()))),
        }
    }
    Err(problem.unwrap_or_else(|| Problem::temporary((4, 4, 4), "there are no addresses")))
}

/// Opportunistic TLS that fails is done without (RFC 7435 §3).
async fn open(ctx: &Context, peer: &Peer<'_>) -> Result<Connection, Problem> {
    match Connection::open(ctx, peer, true).await {
        Ok(connection) => Ok(connection),
        Err(Unopened::Problem(problem)) => Err(problem),
        Err(Unopened::Tls(first)) => {
            tracing::info!(host = peer.host, reason = first.words, "TLS failed; going on without");
            metrics::counter!("eider_mta_tls_failures_total").increment(1);
            match Connection::open(ctx, peer, false).await {
                Ok(connection) => Ok(connection),
                Err(Unopened::Problem(problem) | Unopened::Tls(problem)) => Err(problem),
            }
        }
    }
}
