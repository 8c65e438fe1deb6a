//! A running store with a database of its own, dropped at the end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use eider::config::{Config, Role};
use eider::server::{self, Running};

use super::api::ApiClient;
use super::imap::ImapClient;
use super::lmtp::LmtpClient;

/// The root token of every test store.
pub const ROOT_TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";
/// The password of every test user.
pub const PASSWORD: &str = "correct horse battery";

/// One node.
pub struct TestStore {
    pub running: Running,
    pub data_dir: PathBuf,
}

/// The database all tests use.
pub fn database_uri() -> String {
    std::env::var("EIDER_TEST_MONGODB_URI").expect(
        "EIDER_TEST_MONGODB_URI is not set: run `scripts/test`, which starts a database, or set it",
    )
}

/// A name no other test uses.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{prefix}_{}_{}_{number}", std::process::id(), now.as_nanos() % 1_000_000_000)
}

/// A configuration on free loopback ports and the given database.
pub fn config(database: &str) -> Config {
    let any = || vec!["127.0.0.1:0".to_owned()];
    let data_dir = std::env::temp_dir().join(unique("eider-data"));
    let mut config = Config { data_dir, ..Config::default() };
    // What tests send to others stays in the queue, but for those who want it sent
    config.roles.retain(|role| *role != Role::Mta);
    config.storage.uri = Some(database_uri());
    config.storage.database = database.to_owned();
    config.imap.listen = any();
    config.imap.listen_tls = any();
    config.pop3.listen = any();
    config.pop3.listen_tls = any();
    config.smtp.listen = any();
    config.submission.listen = any();
    config.submission.listen_tls = any();
    config.lmtp.listen = any();
    config.api.listen = vec![([127, 0, 0, 1], 0).into()];
    config.api.root_token = Some(ROOT_TOKEN.to_owned());
    config
}

impl TestStore {
    /// A node on a database of its own.
    pub async fn start() -> Self {
        Self::start_on(&unique("eider_test")).await
    }

    /// A node on the named database.
    pub async fn start_on(database: &str) -> Self {
        Self::start_with(config(database)).await
    }

    /// A node with this configuration.
    pub async fn start_with(config: Config) -> Self {
        let data_dir = config.data_dir.clone();
        let running = server::start(config).await.expect("the store starts");
        Self { running, data_dir }
    }

    pub fn imap_address(&self) -> SocketAddr {
        self.running.addresses.imap[0]
    }

    pub fn pop3_address(&self) -> SocketAddr {
        self.running.addresses.pop3[0]
    }

    pub fn smtp_address(&self) -> SocketAddr {
        self.running.addresses.smtp[0]
    }

    pub fn submission_address(&self) -> SocketAddr {
        self.running.addresses.submission[0]
    }

    pub fn lmtp_address(&self) -> SocketAddr {
        self.running.addresses.lmtp[0]
    }

    /// An API client with the root token.
    pub fn api(&self) -> ApiClient {
        ApiClient::new(self.running.addresses.api[0], Some(ROOT_TOKEN))
    }

    /// Creates `name@example.com` and returns its id.
    pub async fn create_user(&self, name: &str) -> String {
        let body = serde_json::json!({
            "username": name, "password": PASSWORD, "address": format!("{name}@example.com"),
        });
        let (status, answer) = self.api().post("/users", &body).await;
        assert_eq!(status, 200, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }

    /// A logged-in IMAP session.
    pub async fn imap(&self, name: &str) -> ImapClient {
        let mut client = ImapClient::connect(self.imap_address()).await;
        client.ok(&format!("LOGIN {name} \"{PASSWORD}\"")).await;
        client
    }

    /// An LMTP session after LHLO.
    pub async fn lmtp(&self) -> LmtpClient {
        LmtpClient::connect(self.lmtp_address()).await
    }

    /// Stops the node.
    pub async fn stop(self) {
        self.running.shutdown().await;
        let _ = std::fs::remove_dir_all(&self.data_dir);
    }
}
