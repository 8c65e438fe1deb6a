//! The configuration: composed from each owner's `Settings`, loaded once at start.
//!
//! Defaults, then one TOML file, then the environment (`EIDER_<SECTION>__<KEY>`). Unknown keys are
//! errors.

mod load;

use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::telemetry::LogSettings;

pub use load::load;

/// One way in or out that a node offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// IMAP sessions.
    Imap,
    /// POP3 sessions.
    Pop3,
    /// SMTP of other servers.
    Smtp,
    /// SMTP of users.
    Submission,
    /// LMTP delivery.
    Lmtp,
    /// The HTTP interface.
    Api,
    /// Outgoing mail.
    Mta,
    /// Periodic work: expiry, purges, what requests left to do.
    Jobs,
}

/// `[storage]`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageSettings {
    /// MongoDB connection string. Default: none, a local database below `data_dir` is started.
    pub uri: Option<String>,
    /// Database name. Default `eider`.
    pub database: String,
    /// MiB of memory for the cache of the local database; 64 to 65536, default 512. It takes up to
    /// four times as much in all.
    pub local_cache_mib: u32,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self { uri: None, database: "eider".into(), local_cache_mib: 512 }
    }
}

/// `[tls]`
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// PEM file with the certificate chain. Default: a self-signed one made below `data_dir` on
    /// first start.
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub key: Option<PathBuf>,
}

/// `[secrets]`
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsSettings {
    /// File with a secret of at least 32 octets, the same on every node: seeds of one-time codes
    /// and private keys are sealed with it in the database. Default: none, they are stored as they
    /// are.
    pub key_file: Option<PathBuf>,
}

/// Everything a node is told.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder for the local database, the certificate and the root token. Default `./eider-data`.
    pub data_dir: PathBuf,
    /// The name in greetings and Received lines. Default: the machine's host name.
    pub hostname: Option<String>,
    /// What this node does: `imap`, `pop3`, `smtp`, `submission`, `lmtp`, `api`,
    /// `mta`, `jobs`. Default: all.
    pub roles: Vec<Role>,
    /// The database.
    pub storage: StorageSettings,
    /// The certificate.
    pub tls: TlsSettings,
    /// Secrets at rest.
    pub secrets: SecretsSettings,
    /// Certificates by ACME.
    pub acme: crate::directory::acme::Settings,
    /// The IMAP door.
    pub imap: crate::imap::settings::Settings,
    /// The POP3 door.
    pub pop3: crate::pop3::settings::Settings,
    /// The door for other servers' mail.
    pub smtp: crate::smtp::settings::Settings,
    /// The door for users' mail.
    pub submission: crate::smtp::settings::SubmissionSettings,
    /// The LMTP door.
    pub lmtp: crate::smtp::settings::Settings,
    /// The HTTP door.
    pub api: crate::api::settings::Settings,
    /// Outgoing mail.
    pub mta: crate::mta::settings::Settings,
    /// The stories of messages.
    pub trace: crate::trace::settings::Settings,
    /// Checks on mail from strangers.
    pub screening: crate::screening::settings::Settings,
    /// Questions to the DNS.
    pub dns: crate::net::dns::Settings,
    /// Addresses that nothing is sent to.
    pub suppression: crate::delivery::suppression::Settings,
    /// Logs.
    pub log: LogSettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: "./eider-data".into(),
            hostname: None,
            roles: vec![
                Role::Imap,
                Role::Pop3,
                Role::Smtp,
                Role::Submission,
                Role::Lmtp,
                Role::Api,
                Role::Mta,
                Role::Jobs,
            ],
            storage: StorageSettings::default(),
            tls: TlsSettings::default(),
            secrets: SecretsSettings::default(),
            acme: crate::directory::acme::Settings::default(),
            imap: crate::imap::settings::Settings::default(),
            pop3: crate::pop3::settings::Settings::default(),
            smtp: crate::smtp::settings::Settings::relay(),
            submission: crate::smtp::settings::SubmissionSettings::default(),
            lmtp: crate::smtp::settings::Settings::default(),
            api: crate::api::settings::Settings::default(),
            mta: crate::mta::settings::Settings::default(),
            trace: crate::trace::settings::Settings::default(),
            screening: crate::screening::settings::Settings::default(),
            dns: crate::net::dns::Settings::default(),
            suppression: crate::delivery::suppression::Settings::default(),
            log: LogSettings::default(),
        }
    }
}

impl Config {
    /// Rules across sections.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn validate(&self) -> anyhow::Result<()> {
        if self.roles.is_empty() {
            anyhow::bail!("roles: a node without a role does nothing");
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            anyhow::bail!("tls.certificate and tls.key go together");
        }
        if self.storage.database.is_empty()
            || self.storage.database.contains(['/', '\\', '.', ' ', '"', '$'])
        {
            anyhow::bail!("storage.database: {:?} is no database name", self.storage.database);
        }
        if !(64..=65_536).contains(&self.storage.local_cache_mib) {
            anyhow::bail!("storage.local_cache_mib: 64 to 65536");
        }
        self.log.validate().map_err(|error| anyhow::anyhow!("log.level: {error}"))?;
        self.api.validate().map_err(|error| anyhow::anyhow!("api.{error}"))?;
        self.imap.validate().map_err(|error| anyhow::anyhow!("imap.{error}"))?;
        self.pop3.validate().map_err(|error| anyhow::anyhow!("pop3.{error}"))?;
        self.smtp.validate().map_err(|error| anyhow::anyhow!("smtp.{error}"))?;
        let submission = self.submission.common();
        submission.validate().map_err(|error| anyhow::anyhow!("submission.{error}"))?;
        self.lmtp.validate().map_err(|error| anyhow::anyhow!("lmtp.{error}"))?;
        self.mta.validate().map_err(|error| anyhow::anyhow!("mta.{error}"))?;
        self.trace.validate().map_err(|error| anyhow::anyhow!("trace.{error}"))?;
        self.suppression.validate().map_err(|error| anyhow::anyhow!("suppression.{error}"))?;
        self.screening.validate().map_err(|error| anyhow::anyhow!("screening.{error}"))?;
        self.acme.validate().map_err(|error| anyhow::anyhow!("acme.{error}"))?;
        self.dns.validate().map_err(|error| anyhow::anyhow!("dns.{error}"))?;
        let doors = [
            ("imap", &self.imap.listen, &self.imap.listen_tls),
            ("pop3", &self.pop3.listen, &self.pop3.listen_tls),
            ("smtp", &self.smtp.listen, &self.smtp.listen_tls),
            ("submission", &submission.listen, &submission.listen_tls),
            ("lmtp", &self.lmtp.listen, &self.lmtp.listen_tls),
        ];
        for (door, listen, listen_tls) in doors {
            for (key, addresses) in [("listen", listen), ("listen_tls", listen_tls)] {
                validate_addresses(addresses).with_context(|| format!("{door}.{key}"))?;
            }
        }
        // An open API must not be reachable from elsewhere (`reference/http-api.md` §0.4)
        if !self.api.access_control {
            for address in &self.api.listen {
                if !address.ip().is_loopback() {
                    anyhow::bail!(
                        "api.access_control = false is allowed on loopback only, not on {address}"
                    );
                }
            }
        }
        Ok(())
    }

    /// The name of this node in greetings and Received lines.
    pub fn host_name(&self) -> String {
        let of_machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = self.hostname.clone().or_else(of_machine).unwrap_or_default();
        let name: String = name.trim().chars().filter(|c| c.is_ascii_graphic()).collect();
        if name.is_empty() { "localhost".into() } else { name }
    }

    /// The configuration in force as TOML, secrets redacted.
    ///
    /// # Errors
    /// When it cannot be written as TOML: our own mistake.
    pub fn print(&self) -> anyhow::Result<String> {
        let mut shown = self.clone();
        if shown.api.root_token.is_some() {
            shown.api.root_token = Some("[redacted]".into());
        }
        if let Some(uri) = &shown.storage.uri {
            shown.storage.uri = Some(redact_uri(uri));
        }
        Ok(toml::to_string(&shown)?)
    }
}

fn validate_addresses(addresses: &[String]) -> anyhow::Result<()> {
    for address in addresses {
        if address.parse::<std::net::SocketAddr>().is_err() {
            anyhow::bail!("{address:?} is not ADDRESS:PORT, as in 127.0.0.1:1143");
        }
    }
    Ok(())
}

/// A connection string without its password.
fn redact_uri(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return "[redacted]".into() };
    match rest.rsplit_once('@') {
        Some((credentials, host)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:[redacted]@{host}")
        }
        None => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted() {
        assert_eq!(redact_uri("mongodb://a:b@h/d"), "mongodb://a:[redacted]@h/d");
        assert_eq!(redact_uri("mongodb://h/d"), "mongodb://h/d");
    }

    #[test]
    fn an_open_api_stays_on_loopback() {
        let mut config = Config::default();
        config.api.access_control = false;
        assert!(config.validate().is_ok());
        config.api.listen = vec![([0, 0, 0, 0], 8080).into()];
        assert!(config.validate().unwrap_err().to_string().contains("access_control"));
    }
}
