//! Certificates by ACME (RFC 8555), proved by http-01: any node's API answers the authority, which
//! asks at port 80 of the name (a proxy there passes `/.well-known/acme-challenge/` on).
//!
//! A certificate that is wished for is a document of `storage::certificates` with a time at which it
//! is due: at once, thirty days before it ends, an hour after a failure. The job of whichever node
//! takes what is due.

use super::Directory;
use super::certificate::{described, event, server_name_form};
use super::event::hex_fingerprint;
use crate::model::error::{Error, Result};
use crate::model::key::Certificate;
use crate::net::tls;
use crate::storage::field::new_id;
use crate::storage::{acme_accounts, certificates};
use instant_acme::{
    Account, AccountBuilder, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder,
    OrderStatus, RetryPolicy,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How long before its end a certificate is renewed.
const RENEW_MS: i64 = 30 * 24 * 3_600_000;
/// How long a name waits after a failure.
const RETRY_MS: i64 = 3_600_000;
/// How long a proof is answered.
const ANSWER_MS: i64 = 3_600_000;
/// Characters of a reason that is kept.
const REASON_CHARS_MAX: usize = 500;

/// Section `acme`.
#[derive(Clone, Default, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Directory of the authority, as `https://acme-v02.api.letsencrypt.org/directory`. Default:
    /// none, certificates are only stored. Whoever sets it agrees to the authority's terms.
    pub directory_url: Option<String>,
    /// Address the authority may write to. Default: none.
    pub email: Option<String>,
    /// PEM file with the root of an authority of one's own. Default: those of the system.
    pub root_certificate: Option<PathBuf>,
}

impl Settings {
    /// Whether the values can be used.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn validate(&self) -> std::result::Result<(), String> {
        let is_https = |url: &String| url.starts_with("https://");
        if self.directory_url.as_ref().is_some_and(|url| !is_https(url)) {
            return Err("directory_url: an https:// URL".to_owned());
        }
        if self.email.as_ref().is_some_and(|email| !email.contains('@')) {
            return Err("email: an address".to_owned());
        }
        Ok(())
    }
}

fn failed(error: instant_acme::Error) -> Error {
    Error::unavailable("the certificate authority did not do it", error)
}

fn refused(reason: &'static str) -> Error {
    Error::Unavailable { reason, source: None }
}

impl Directory {
    /// Wishes for a certificate; whatever the name has stays until it is there.
    ///
    /// # Errors
    /// `Invalid` name, or without an authority; `Unavailable`.
    pub async fn request_certificate(
        &self,
        name: &str,
        description: Option<String>,
    ) -> Result<Certificate> {
        if self.acme.directory_url.is_none() {
            return Err(Error::invalid("acme", "\"acme\" needs the setting acme.directory_url"));
        }
        let name = server_name_form(name)?;
        let now = self.clock.now_ms();
        let was_there =
            certificates::request(&self.storage, new_id(), &name, description, now).await?;
        let stored = certificates::find_by_name(&self.storage, &name).await?;
        let stored = stored.ok_or(Error::Conflict { reason: "it was removed meanwhile" })?;
        self.emit(event(if was_there { "cert.updated" } else { "cert.created" }, &stored)).await;
        Ok(stored)
    }

    /// Obtains the next certificate that is due; 0: there is none. One that fails waits an hour.
    ///
    /// # Errors
    /// `Unavailable` database.
    pub async fn renew_certificate(&self) -> Result<u64> {
        let Some(url) = &self.acme.directory_url else { return Ok(0) };
        let now = self.clock.now_ms();
        let due = certificates::claim(&self.storage, now, now.saturating_add(RETRY_MS)).await?;
        let Some(due) = due else { return Ok(0) };
        let name = due.server_name.as_str();
        let result = match self.obtain(url, name).await {
            Ok((chain, private_key)) => self.keep(due.clone(), chain, private_key).await,
            Err(error) => Err(error),
        };
        let outcome = if result.is_ok() { "obtained" } else { "failed" };
        metrics::counter!("eider_acme_certificates_total", "result" => outcome).increment(1);
        match result {
            Ok(()) => tracing::info!(server.name = name, "a certificate was obtained"),
            Err(error) => {
                let mut reason = error.to_string();
                if let Some(cause) = std::error::Error::source(&error) {
                    reason = format!("{reason}: {cause}");
                }
                let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
                tracing::warn!(server.name = name, reason, "a certificate was not obtained");
                certificates::note_failure(&self.storage, due.id, &reason).await?;
            }
        }
        Ok(1)
    }

    async fn keep(&self, due: Certificate, chain: String, private_key: String) -> Result<()> {
        let unusable = |error: std::io::Error| Error::invalid("cert", error.to_string());
        tls::config_of_pem(chain.as_bytes(), private_key.as_bytes()).map_err(unusable)?;
        let leaf = tls::first_certificate(chain.as_bytes()).map_err(unusable)?;
        let (alt_names, expires_ms) = described(&leaf)?;
        let key = tls::private_key(private_key.as_bytes()).map_err(unusable)?;
        let fingerprint = hex_fingerprint(&key);
        let created_ms = self.clock.now_ms();
        let new = Certificate {
            fingerprint,
            expires_ms,
            alt_names,
            chain,
            private_key,
            created_ms,
            ..due
        };
        // half of a short life is soon enough
        let due_ms = expires_ms.saturating_sub(RENEW_MS).max(created_ms.midpoint(expires_ms));
        certificates::renew(&self.storage, &new, due_ms).await?;
        self.emit(event("cert.updated", &new)).await;
        Ok(())
    }

    /// RFC 8555 §7.4: order, proof, certificate.
    async fn obtain(&self, url: &str, name: &str) -> Result<(String, String)> {
        let account = self.acme_account(url).await?;
        let identifiers = [Identifier::Dns(name.to_owned())];
        let mut order = account.new_order(&NewOrder::new(&identifiers)).await.map_err(failed)?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(failed)?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let challenge = authorization.challenge(ChallengeType::Http01);
            let mut challenge = challenge.ok_or(refused("the authority offers no http-01"))?;
            let answer = challenge.key_authorization();
            self.put_acme_answer(&challenge.token, name, answer.as_str(), ANSWER_MS).await?;
            challenge.set_ready().await.map_err(failed)?;
        }
        let patience = RetryPolicy::default();
        let status = order.poll_ready(&patience).await.map_err(failed)?;
        if status != OrderStatus::Ready {
            return Err(refused("the authority did not find its answer at the name"));
        }
        let key = order.finalize().await.map_err(failed)?;
        let chain = order.poll_certificate(&patience).await.map_err(failed)?;
        Ok((chain, key))
    }

    /// The store's account at an authority; made the first time.
    async fn acme_account(&self, url: &str) -> Result<Account> {
        if let Some(text) = acme_accounts::find(&self.storage, url).await? {
            let unreadable = |error| Error::internal("an ACME account cannot be read", error);
            let credentials = serde_json::from_str(&text).map_err(unreadable)?;
            return self.acme_client()?.from_credentials(credentials).await.map_err(failed);
        }
        let contact = self.acme.email.as_ref().map(|email| format!("mailto:{email}"));
        let contact: Vec<&str> = contact.as_deref().into_iter().collect();
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let made = self.acme_client()?.create(&new, url.to_owned(), None).await;
        let (account, credentials) = made.map_err(failed)?;
        let unwritable = |error| Error::internal("an ACME account cannot be kept", error);
        let text = serde_json::to_string(&credentials).map_err(unwritable)?;
        acme_accounts::put(&self.storage, url, &text).await?;
        Ok(account)
    }

    fn acme_client(&self) -> Result<AccountBuilder> {
        match &self.acme.root_certificate {
            Some(root) => Account::builder_with_root(root),
            None => Account::builder(),
        }
        .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn settings_are_checked() {
        let with = |url: &str, email: &str| {
            let (directory_url, email) = (Some(url.to_owned()), Some(email.to_owned()));
            Settings { directory_url, email, ..Settings::default() }.validate()
        };
        assert!(with("https://ca.example/directory", "a@b.example").is_ok());
        assert!(with("http://ca.example/directory", "a@b.example").is_err());
        assert!(with("https://ca.example/directory", "nobody").is_err());
    }
}
