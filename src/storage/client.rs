//! The connection to the database, and its collections.

use crate::model::error::{Error, Result};
use crate::storage::cache::Cache;
use crate::storage::settings::Remembered;
use crate::storage::vault::Vault;
use bson::Document;
use mongodb::options::{
    Acknowledgment, ClientOptions, ReadConcern, SelectionCriteria, WriteConcern,
};
use mongodb::{Client, Collection, Database};
use std::sync::Arc;
use std::time::Duration;

/// How long an operation waits for a primary before it is `Unavailable`.
const SERVER_SELECTION: Duration = Duration::from_secs(5);
/// Seconds of the longest transaction: a STORE on 200,000 messages takes some 20.
pub const TRANSACTION_S_MAX: i32 = 30;
/// Octets of contents kept in memory by a node.
const CACHE_OCTETS: usize = 32 * 1024 * 1024;

/// A handle on the database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Storage {
    inner: Arc<Inner>,
    vault: Vault,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    database: Database,
    cache: Cache,
    settings: Remembered,
    /// [`Storage::limits_late`].
    limits_late: bool,
}

impl Storage {
    /// Connects, creates missing indexes and brings the documents to the schema of this program.
    ///
    /// Everything is written with `{w: "majority", j: true}` and read from the primary with read
    /// concern
    /// `majority`, so that nothing that was seen or acknowledged is rolled back by an election.
    ///
    /// # Errors
    /// `Invalid` for a URI that cannot be read, `Unavailable` when no primary answers.
    pub async fn connect(uri: &str, database: &str) -> Result<Self> {
        let bad = |error: mongodb::error::Error| Error::invalid("storage.uri", error.to_string());
        let mut options = ClientOptions::parse(uri).await.map_err(bad)?;
        options.app_name.get_or_insert_with(|| "eider".to_owned());
        options.server_selection_timeout.get_or_insert(SERVER_SELECTION);
        options.connect_timeout.get_or_insert(SERVER_SELECTION);
        options.max_pool_size.get_or_insert(64);
        options.retry_reads = Some(true);
        options.retry_writes = Some(true);
        options.write_concern = Some(durable());
        options.read_concern = Some(ReadConcern::majority());
        options.selection_criteria =
            Some(SelectionCriteria::ReadPreference(mongodb::options::ReadPreference::Primary));
        let client = Client::with_options(options).map_err(bad)?;
        let database = client.database(database);
        let cache = Cache::new(CACHE_OCTETS);
        let build = database.run_command(bson::doc! { "buildInfo": 1 }).await?;
        let limits_late = build.contains_key("secantusVersion");
        let settings = Remembered::default();
        let storage = Self {
            inner: Arc::new(Inner { client, database, cache, settings, limits_late }),
            vault: Vault::default(),
        };
        super::indexes::create(&storage).await?;
        super::migrations::run(&storage).await?;
        Ok(storage)
    }

    /// The same with a secret that seals secrets at rest.
    pub fn with_secret(mut self, secret: &[u8]) -> Self {
        self.vault = Vault::new(secret);
        self
    }

    pub(super) const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Whether the database is the stand-in that reads all a query matches before it applies the
    /// query's `limit` (`page::edge`).
    pub(super) fn limits_late(&self) -> bool {
        self.inner.limits_late
    }

    /// Whether a primary answers: one round trip.
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub async fn ping(&self) -> Result<()> {
        self.inner.database.run_command(bson::doc! { "ping": 1 }).await?;
        Ok(())
    }

    /// Has a database that is ours alone end transactions that a killed node left open: until then
    /// their mailboxes refuse writes (MongoDB's own limit is 60 s). No transaction lasts longer than
    /// `seconds`. One round trip.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn end_abandoned_transactions(&self, seconds: i32) -> Result<()> {
        let limit = bson::doc! { "setParameter": 1, "transactionLifetimeLimitSeconds": seconds };
        self.inner.client.database("admin").run_command(limit).await?;
        Ok(())
    }

    /// Removes the whole database. For tests.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn drop_database(&self) -> Result<()> {
        Ok(self.inner.database.drop().await?)
    }

    /// A collection by name; prefer the named accessors.
    pub fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        self.inner.database.collection(name)
    }

    pub(super) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(super) fn database(&self) -> &Database {
        &self.inner.database
    }

    pub(super) fn cache(&self) -> &Cache {
        &self.inner.cache
    }

    pub(super) fn remembered_settings(&self) -> &Remembered {
        &self.inner.settings
    }
}

/// Acknowledged by a majority, and in their journals.
pub(super) fn durable() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build()
}

macro_rules! collections {
    ($($name:ident: $text:literal,)*) => {
        /// The collections by name.
        impl Storage {
            $(
                #[doc = concat!("The collection `", $text, "`.")]
                pub fn $name(&self) -> Collection<Document> {
                    self.collection($text)
                }
            )*
        }
    };
}

collections! {
    users: "users",
    addresses: "addresses",
    tokens: "tokens",
    mailboxes: "mailboxes",
    mailbox_counters: "mailbox_counters",
    messages: "messages",
    archived: "archived",
    threads: "threads",
    contents: "contents",
    content_chunks: "content_chunks",
    attachments: "attachments",
    attachment_chunks: "attachment_chunks",
    changes: "changes",
    metadata: "metadata",
    shares: "shares",
    subscriptions: "subscriptions",
    settings: "settings",
    leases: "leases",
    url_keys: "url_keys",
}
