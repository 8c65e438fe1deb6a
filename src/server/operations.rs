//! The operations of a node, without doors.

use super::SHUTDOWN;
use crate::auth::Authenticator;
use crate::auth::password::Passwords;
use crate::auth::token::{Lifetime, Tokens};
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::mailstore::Mailstore;
use crate::net::dns::Resolver;
use crate::queue::Queue;
use crate::screening::Screening;
use crate::storage::Storage;
use crate::storage::client::TRANSACTION_S_MAX;
use crate::storage::local::LocalDatabase;
use crate::tasks::Tasks;
use crate::trace::Trace;
use anyhow::Context as _;

/// Octets of the secret that seals secrets at rest.
const SECRET_OCTETS_MIN: usize = 32;

/// The operations of a node, without doors; also what the command line works with.
#[derive(Debug)]
pub struct Operations {
    /// Time.
    pub clock: Clock,
    /// Mailboxes and messages.
    pub mailstore: Mailstore,
    /// Users and addresses.
    pub directory: Directory,
    /// Logins.
    pub authenticator: Authenticator,
    /// Access tokens.
    pub tokens: Tokens,
    /// Messages that arrive and leave.
    pub delivery: Delivery,
    /// Questions to the DNS.
    pub resolver: Resolver,
    /// Checks on mail from strangers.
    pub screening: Screening,
    pub(super) storage: Storage,
    pub(super) tasks: Tasks,
    /// What others tell something until they end.
    pub(super) last_tasks: Tasks,
    pub(super) local: Option<LocalDatabase>,
}

impl Operations {
    /// Opens the database, starting the local one when no URI is configured.
    ///
    /// # Errors
    /// The database cannot be started or reached.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        Self::open_as(config, "").await
    }

    /// The same as the node of this name.
    pub(super) async fn open_as(config: &Config, node: &str) -> anyhow::Result<Self> {
        let tasks = Tasks::new();
        let (storage, local) = open_storage(config).await?;
        let resolver = Resolver::new(&config.dns).context("dns.trust_anchor cannot be read")?;
        let clock = Clock::default();
        let mailstore = Mailstore::new(storage.clone(), clock.clone(), tasks.clone());
        let passwords = Passwords::new(clock.clone());
        let authenticator =
            Authenticator::new(storage.clone(), passwords.clone(), clock.clone(), tasks.clone());
        let lifetime =
            Lifetime { ttl_s: config.api.token_ttl_s, lifetime_s: config.api.token_lifetime_s };
        let tokens = Tokens::new(storage.clone(), clock.clone(), lifetime);
        let authenticator = authenticator.with_tokens(tokens.clone());
        let directory =
            Directory::new(storage.clone(), mailstore.clone(), passwords, clock.clone())
                .with_email_domain(&config.host_name())
                .with_acme(config.acme.clone());
        let last_tasks = Tasks::new();
        let trace = Trace::start(storage.clone(), clock.clone(), &config.trace, &last_tasks);
        let screening = Screening::new(
            config.screening.clone(),
            storage.clone(),
            resolver.clone(),
            clock.clone(),
            trace.clone(),
            config.host_name(),
        );
        let queue = Queue::new(storage.clone(), mailstore.clone(), clock.clone())
            .with_trace(trace)
            .with_node(node);
        let delivery = Delivery::new(
            storage.clone(),
            mailstore.clone(),
            directory.clone(),
            queue,
            clock.clone(),
            config.host_name(),
        )
        .with_suppression(config.suppression.clone());
        Ok(Self {
            clock,
            mailstore,
            directory,
            authenticator,
            tokens,
            delivery,
            resolver,
            screening,
            storage,
            tasks,
            last_tasks,
            local,
        })
    }

    /// Opens the database beside a running store: the local one is started only when no store runs
    /// on it.
    ///
    /// # Errors
    /// The database cannot be started or reached.
    pub async fn open_beside(config: &Config) -> anyhow::Result<Self> {
        let mut config = config.clone();
        if config.storage.uri.is_none() {
            config.storage.uri = LocalDatabase::find_running(&config.data_dir);
        }
        Self::open(&config).await
    }

    /// Ends what [`Operations::open`] started.
    pub async fn close(self) {
        self.tasks.shutdown(SHUTDOWN).await;
        self.last_tasks.shutdown(SHUTDOWN).await;
        if let Some(local) = self.local {
            local.stop().await;
        }
    }
}

/// The database, which is started when no URI is configured.
async fn open_storage(config: &Config) -> anyhow::Result<(Storage, Option<LocalDatabase>)> {
    let (uri, local) = match &config.storage.uri {
        Some(uri) => (uri.clone(), None),
        None => {
            let local = LocalDatabase::start(&config.data_dir, config.storage.local_cache_mib)
                .await
                .context("the local database does not start")?;
            (local.uri().to_owned(), Some(local))
        }
    };
    let mut storage = Storage::connect(&uri, &config.storage.database)
        .await
        .context("the database cannot be reached")?;
    if let Some(file) = &config.secrets.key_file {
        storage = storage.with_secret(&secret(file)?);
    }
    if local.is_some() {
        storage.end_abandoned_transactions(TRANSACTION_S_MAX).await?;
    }
    Ok((storage, local))
}

/// The secret that seals secrets at rest.
fn secret(file: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    let secret = std::fs::read(file).context("secrets.key_file cannot be read")?;
    anyhow::ensure!(secret.len() >= SECRET_OCTETS_MIN, "secrets.key_file: at least 32 octets");
    Ok(secret)
}
