//! A node, put together and started: the function `main` and every test use.
//!
//! The only file that sees all handles; each door gets its own small context.

mod operations;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use crate::auth::allowance::Allowances;
use crate::auth::breach::Breaches;
use crate::cluster::lease::Leases;
use crate::cluster::node::Node;
use crate::cluster::notifier::Notifier;
use crate::config::{Config, Role};
use crate::directory::Directory;
use crate::net::listener::{self, Listener, Permits};
use crate::net::network::Network;
use crate::net::tls::{self, TlsAcceptor};
use crate::storage::local::LocalDatabase;
use crate::tasks::Tasks;
use crate::{api, imap, jobs, mta, pop3, smtp, telemetry};

pub use operations::Operations;

/// Time sessions and writes have to end when the node stops.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// The bound addresses of each door.
#[derive(Clone, Default, Debug)]
pub struct Addresses {
    /// IMAP with STARTTLS.
    pub imap: Vec<SocketAddr>,
    /// IMAP with TLS from the first octet.
    pub imap_tls: Vec<SocketAddr>,
    /// POP3 with STLS.
    pub pop3: Vec<SocketAddr>,
    /// POP3 with TLS from the first octet.
    pub pop3_tls: Vec<SocketAddr>,
    /// SMTP of other servers, with STARTTLS.
    pub smtp: Vec<SocketAddr>,
    /// SMTP of other servers, with TLS from the first octet.
    pub smtp_tls: Vec<SocketAddr>,
    /// SMTP of users, with STARTTLS.
    pub submission: Vec<SocketAddr>,
    /// SMTP of users, with TLS from the first octet.
    pub submission_tls: Vec<SocketAddr>,
    /// LMTP with STARTTLS.
    pub lmtp: Vec<SocketAddr>,
    /// LMTP with TLS from the first octet.
    pub lmtp_tls: Vec<SocketAddr>,
    /// HTTP.
    pub api: Vec<SocketAddr>,
}

/// A started node.
#[derive(Debug)]
pub struct Running {
    /// Where its doors are.
    pub addresses: Addresses,
    /// The file with the API's root token, when this node made or read one.
    pub root_token_file: Option<PathBuf>,
    tasks: Tasks,
    last_tasks: Tasks,
    local: Option<LocalDatabase>,
    /// Held until the end.
    _node: Node,
}

impl Running {
    /// Tells sessions, waits for writes, then stops the local database.
    pub async fn shutdown(self) {
        self.tasks.shutdown(SHUTDOWN).await;
        self.last_tasks.shutdown(SHUTDOWN).await;
        if let Some(local) = self.local {
            local.stop().await;
        }
    }
}

/// Starts a node; it serves when this returns.
///
/// # Errors
/// The database is away, an address cannot be bound, the certificate cannot be read.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    telemetry::start_metrics();
    tls::install_provider();
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("cannot make the folder {}", config.data_dir.display()))?;
    let own = tls::server_config(certificate(&config)?).context("cannot use the certificate")?;
    let acceptor = TlsAcceptor::new(own);
    let node = Node::of(&config.data_dir);
    let operations = Operations::open_as(&config, node.name()).await?;
    let orphans = operations.delivery.queue().release_orphans().await;
    match orphans.context("the queue cannot be read")? {
        0 => {}
        count => tracing::info!(count, "entries of the queue were left by this node's last life"),
    }
    let acceptor = acceptor.with_lookup(certificates(&operations.directory));
    if config.roles.contains(&Role::Jobs) {
        let leases = Leases::new(operations.storage.clone(), operations.tasks.clone());
        let (mailstore, directory) = (operations.mailstore.clone(), operations.directory.clone());
        let (delivery, screening) = (operations.delivery.clone(), operations.screening.clone());
        let context = jobs::Context { mailstore, directory, delivery, screening, leases };
        jobs::start(&context, &operations.tasks);
    }
    if config.roles.contains(&Role::Mta) {
        let handles = mta::Handles {
            delivery: operations.delivery.clone(),
            directory: operations.directory.clone(),
            resolver: operations.resolver.clone(),
            hostname: config.host_name().into(),
            leases: Leases::new(operations.storage.clone(), operations.tasks.clone()),
        };
        mta::start(handles, config.mta.clone(), &operations.tasks)
            .context("mta.trusted_authorities")?;
    }
    match open_doors(&config, &operations, &acceptor).await {
        Ok((addresses, root_token_file)) => Ok(Running {
            addresses,
            root_token_file,
            tasks: operations.tasks,
            last_tasks: operations.last_tasks,
            local: operations.local,
            _node: node,
        }),
        Err(error) => {
            operations.close().await;
            Err(error)
        }
    }
}

/// Certificates that are stored for names clients ask for. The database away: the node's own.
fn certificates(directory: &Directory) -> tls::Lookup {
    let directory = directory.clone();
    std::sync::Arc::new(move |name: String| {
        let directory = directory.clone();
        Box::pin(async move {
            match directory.find_certificate(&name).await {
                Ok(found) => found.map(|found| tls::StoredCertificate {
                    version: format!("{}:{}", found.fingerprint, found.created_ms),
                    chain: found.chain,
                    private_key: found.private_key,
                }),
                Err(error) => {
                    tracing::warn!(%error, "certificates cannot be looked up");
                    None
                }
            }
        })
    })
}

/// The node's own certificate.
fn certificate(config: &Config) -> anyhow::Result<tls::CertifiedKey> {
    let (certificate, key) = match (&config.tls.certificate, &config.tls.key) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        _ => {
            let files = tls::self_signed(&config.data_dir)
                .context("cannot make a self-signed certificate")?;
            (files.certificate, files.key)
        }
    };
    tls::certified_key(&certificate, &key).context("cannot use the certificate")
}

async fn open_doors(
    config: &Config,
    operations: &Operations,
    acceptor: &TlsAcceptor,
) -> anyhow::Result<(Addresses, Option<PathBuf>)> {
    let mut addresses = Addresses::default();
    let mut root_token_file = None;
    let notifier = Notifier::start(operations.storage.clone(), &operations.tasks);
    if config.roles.contains(&Role::Imap) {
        open_imap(config, operations, (acceptor, notifier.clone()), &mut addresses)?;
    }
    if config.roles.contains(&Role::Pop3) {
        open_pop3(config, operations, (acceptor, notifier.clone()), &mut addresses)?;
    }
    if config.roles.contains(&Role::Smtp) {
        let (settings, role) = (config.smtp.clone(), smtp::role::Role::Relay);
        (addresses.smtp, addresses.smtp_tls) =
            open_smtp(config, operations, acceptor, role, settings)?;
    }
    if config.roles.contains(&Role::Submission) {
        let (settings, role) = (config.submission.common(), smtp::role::Role::Submission);
        (addresses.submission, addresses.submission_tls) =
            open_smtp(config, operations, acceptor, role, settings)?;
    }
    if config.roles.contains(&Role::Lmtp) {
        let (settings, role) = (config.lmtp.clone(), smtp::role::Role::Lmtp);
        (addresses.lmtp, addresses.lmtp_tls) =
            open_smtp(config, operations, acceptor, role, settings)?;
    }
    if config.roles.contains(&Role::Api) {
        let mut settings = config.api.clone();
        if settings.root_token.is_none() {
            let file = config.data_dir.join("root-token");
            settings.root_token = Some(root_token(&file)?);
            root_token_file = Some(file);
        }
        let context = api::Context {
            mailstore: operations.mailstore.clone(),
            directory: operations.directory.clone(),
            authenticator: operations.authenticator.clone(),
            tokens: operations.tokens.clone(),
            notifier: notifier.clone(),
            delivery: operations.delivery.clone(),
            clock: operations.clock.clone(),
            breaches: breaches(&settings)?,
            bounds: api::Bounds {
                imap_connections: config.imap.connections_per_user_max as u64,
                pop3_messages: config.pop3.messages_max,
            },
            profiles: api::mail_profile::Profiles {
                host: settings.profile_host.clone().unwrap_or_else(|| config.host_name()),
                pair: certificate(config)?,
            }
            .into(),
            settings: settings.into(),
        };
        addresses.api = api::serve::serve(context, &operations.tasks)
            .await
            .context("api.listen: cannot bind")?;
    }
    Ok((addresses, root_token_file))
}

/// The list of stolen passwords, if one is named.
fn breaches(
    settings: &api::settings::Settings,
) -> anyhow::Result<Option<std::sync::Arc<Breaches>>> {
    let list = settings.breach_url.as_deref().map(Breaches::new).transpose();
    Ok(list.context("api.breach_url: cannot be asked")?.map(std::sync::Arc::new))
}

/// Binds plain and TLS addresses of a door, which proxies bring connections to.
fn bind(
    (plain, with_tls): (&[String], &[String]),
    proxies: &[Network],
    acceptor: &TlsAcceptor,
) -> anyhow::Result<(Vec<Listener>, Vec<SocketAddr>, Vec<SocketAddr>)> {
    let mut listeners = Vec::new();
    let mut bound = (Vec::new(), Vec::new());
    for (addresses, tls, found) in
        [(plain, None, &mut bound.0), (with_tls, Some(acceptor.clone()), &mut bound.1)]
    {
        for address in addresses {
            let listener = Listener::bind(address, tls.clone())
                .with_context(|| format!("cannot listen on {address}"))?;
            found.push(listener.local_addr()?);
            listeners.push(listener.behind(proxies));
        }
    }
    Ok((listeners, bound.0, bound.1))
}

fn open_imap(
    config: &Config,
    operations: &Operations,
    (acceptor, notifier): (&TlsAcceptor, Notifier),
    addresses: &mut Addresses,
) -> anyhow::Result<()> {
    let settings = config.imap.clone();
    let places = (settings.listen.as_slice(), settings.listen_tls.as_slice());
    let (listeners, plain, tls) = bind(places, &settings.proxy_from, acceptor)?;
    (addresses.imap, addresses.imap_tls) = (plain, tls);
    let permits = Permits::new(settings.connections_max, b"* BYE [LIMIT] too many connections\r\n");
    let context = imap::Context::new(
        operations.mailstore.clone(),
        operations.authenticator.clone(),
        notifier,
        operations.clock.clone(),
        settings,
        (Some(acceptor.clone()), config.data_dir.join("spool")),
    );
    let stop = operations.tasks.stopping();
    listener::serve("imap", listeners, permits, &operations.tasks, move |stream| {
        imap::serve_connection(context.clone(), stream, stop.clone())
    });
    Ok(())
}

fn open_pop3(
    config: &Config,
    operations: &Operations,
    (acceptor, notifier): (&TlsAcceptor, Notifier),
    addresses: &mut Addresses,
) -> anyhow::Result<()> {
    let settings = config.pop3.clone();
    let places = (settings.listen.as_slice(), settings.listen_tls.as_slice());
    let (listeners, plain, tls) = bind(places, &settings.proxy_from, acceptor)?;
    (addresses.pop3, addresses.pop3_tls) = (plain, tls);
    let refusal = b"-ERR [SYS/TEMP] too many connections\r\n";
    let permits = Permits::new(settings.connections_max, refusal);
    let (storage, clock) = (operations.storage.clone(), operations.clock.clone());
    let context = pop3::Context {
        mailstore: operations.mailstore.clone(),
        authenticator: operations.authenticator.clone(),
        directory: operations.directory.clone(),
        allowances: Allowances::new(storage.clone(), clock),
        notifier,
        leases: Leases::new(storage, operations.tasks.clone()),
        settings: settings.into(),
        tls: Some(acceptor.clone()),
    };
    let stop = operations.tasks.stopping();
    listener::serve("pop3", listeners, permits, &operations.tasks, move |stream| {
        pop3::serve_connection(context.clone(), stream, stop.clone())
    });
    Ok(())
}

/// Opens a role of the SMTP door; its bound addresses, plain and with TLS.
fn open_smtp(
    config: &Config,
    operations: &Operations,
    acceptor: &TlsAcceptor,
    role: smtp::role::Role,
    settings: smtp::settings::Settings,
) -> anyhow::Result<(Vec<SocketAddr>, Vec<SocketAddr>)> {
    let places = (settings.listen.as_slice(), settings.listen_tls.as_slice());
    let (listeners, plain, tls) = bind(places, &settings.proxy_from, acceptor)?;
    let context = smtp::Context {
        role,
        directory: operations.directory.clone(),
        authenticator: operations.authenticator.clone(),
        delivery: operations.delivery.clone(),
        mailstore: operations.mailstore.clone(),
        screening: operations.screening.clone(),
        clock: operations.clock.clone(),
        tasks: operations.tasks.clone(),
        tls: Some(acceptor.clone()),
        hostname: config.host_name().into(),
        spool_dir: config.data_dir.join("spool"),
        settings,
        plaintext_auth_from: config.submission.plaintext_auth_from.clone(),
    };
    smtp::serve(context, listeners);
    Ok((plain, tls))
}

/// The root token kept in a file only its owner may read; made on first start.
fn root_token(file: &Path) -> anyhow::Result<String> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let about = || format!("the root token's file {}", file.display());
    if let Ok(text) = std::fs::read_to_string(file) {
        let token = text.trim();
        anyhow::ensure!(!token.is_empty(), "{} is empty", about());
        return Ok(token.to_owned());
    }
    let octets: [u8; 20] = rand::random();
    let token: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let mut options = std::fs::OpenOptions::new();
    let mut handle =
        options.write(true).create_new(true).mode(0o600).open(file).with_context(about)?;
    writeln!(handle, "{token}").with_context(about)?;
    handle.sync_all().with_context(about)?;
    Ok(token)
}
