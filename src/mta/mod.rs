//! What leaves: the mail agent carries the queue's entries to their next hops (`architecture.md` §7).
//!
//! `worker` claims and settles; `route` says where to, `pools` where from, `tls_policy` how (and
//! `tls_report` tells others how well), `reach` finds a host that answers; `connection` and
//! `transmit` speak SMTP, `post` HTTP; `content`, `sign` and `seal` make what is sent. At least
//! once: a node that dies between the server's 250 and our write sends twice.

mod connection;
mod content;
mod hops;
mod policies;
mod pools;
mod post;
mod problem;
mod reach;
mod route;
mod seal;
pub mod settings;
mod sign;
mod tls_policy;
mod tls_report;
mod transmit;
mod worker;

use crate::cluster::lease::Leases;
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::net::dns::Resolver;
use crate::net::http;
use crate::net::tls_client::TlsClient;
use crate::tasks::Tasks;
use hops::Hops;
use policies::Policies;
use settings::{Pool, Settings};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a program may take to answer a message that is posted to it.
const POST_ANSWER: Duration = Duration::from_secs(60);

/// The handles the mail agent works with.
#[derive(Clone, Debug)]
pub struct Handles {
    /// The queue, and what becomes of its entries.
    pub delivery: Delivery,
    /// Keys.
    pub directory: Directory,
    /// Questions to the DNS.
    pub resolver: Resolver,
    /// Our name.
    pub hostname: Arc<str>,
    /// Which node does what only one does.
    pub leases: Leases,
}

#[derive(Clone, Debug)]
struct Context {
    delivery: Delivery,
    directory: Directory,
    resolver: Resolver,
    hostname: Arc<str>,
    settings: Arc<Settings>,
    tls: TlsClient,
    http: reqwest::Client,
    hops: Hops,
    policies: Policies,
    stopping: CancellationToken,
}

impl Context {
    /// Whether its network is one we may connect to.
    fn may_connect_to(&self, address: IpAddr) -> bool {
        crate::net::network::any_contains(&self.settings.allow_networks, address)
    }

    /// An address to connect from, if some of that family are configured.
    fn source(&self, pool: Option<&Pool>, to: IpAddr) -> Option<IpAddr> {
        use rand::seq::IndexedRandom as _;
        let all = pool.map_or(&self.settings.source_addresses, |pool| &pool.addresses);
        let fitting: Vec<&IpAddr> =
            all.iter().filter(|address| address.is_ipv4() == to.is_ipv4()).collect();
        fitting.choose(&mut rand::rng()).map(|address| **address)
    }
}

/// Starts the mail agent of a node; it ends when the tasks stop.
///
/// # Errors
/// TLS cannot be set up.
pub fn start(handles: Handles, settings: Settings, tasks: &Tasks) -> io::Result<()> {
    let Handles { delivery, directory, resolver, hostname, leases } = handles;
    let ctx = Context {
        delivery,
        directory,
        resolver,
        hostname,
        tls: TlsClient::new(settings.trusted_authorities.as_deref())?,
        http: http::client(POST_ANSWER).map_err(io::Error::other)?,
        hops: Hops::new(settings.connections_per_domain_max),
        policies: Policies::default(),
        stopping: tasks.stopping(),
        settings: Arc::new(settings),
    };
    if !ctx.settings.tls_reports_from.is_empty() {
        tasks.spawn("TLS reports", tls_report::run(ctx.clone(), leases, tasks.clone()));
    }
    tasks.spawn("mta", worker::run(ctx, tasks.clone()));
    Ok(())
}
