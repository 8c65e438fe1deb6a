//! Certificates by the name clients ask for: stored, listed, removed, and found at handshakes.

use super::Directory;
use super::dkim::domain_form;
use super::event::hex_fingerprint;
use super::user::Around;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::id::ObjectId;
use crate::model::key::Certificate;
use crate::model::profile::Page;
use crate::net::tls;
use crate::storage::certificates;
use crate::storage::field::new_id;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

pub use crate::storage::certificates::CertificateListing;

/// A certificate to store.
#[derive(Clone)]
pub struct NewCertificate {
    /// The name.
    pub server_name: String,
    /// For people.
    pub description: Option<String>,
    /// PEM: the certificate, then those that vouch for it.
    pub chain: String,
    /// PEM.
    pub private_key: String,
}

impl std::fmt::Debug for NewCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewCertificate({})", self.server_name)
    }
}

impl Directory {
    /// Stores a name's certificate in place of the one it had; nodes use it from the next
    /// connection on.
    ///
    /// # Errors
    /// `Invalid` when they cannot be used together, `Unavailable`.
    pub async fn put_certificate(&self, new: NewCertificate) -> Result<Certificate> {
        let server_name = server_name_form(&new.server_name)?;
        let unusable = |error: std::io::Error| Error::invalid("cert", error.to_string());
        tls::config_of_pem(new.chain.as_bytes(), new.private_key.as_bytes()).map_err(unusable)?;
        let leaf = tls::first_certificate(new.chain.as_bytes()).map_err(unusable)?;
        let key = tls::private_key(new.private_key.as_bytes()).map_err(unusable)?;
        let (alt_names, expires_ms) = described(&leaf)?;
        let certificate = Certificate {
            id: new_id(),
            server_name,
            description: new.description,
            fingerprint: hex_fingerprint(&key),
            expires_ms,
            alt_names,
            chain: new.chain,
            private_key: new.private_key,
            is_acme: false,
            created_ms: self.clock.now_ms(),
        };
        let was_there = certificates::put(&self.storage, &certificate).await?;
        let name = &certificate.server_name;
        let stored = certificates::find_by_name(&self.storage, name).await?;
        let stored = stored.ok_or(Error::Conflict { reason: "it was removed meanwhile" })?;
        self.emit(event(if was_there { "cert.updated" } else { "cert.created" }, &stored)).await;
        Ok(stored)
    }

    /// One certificate.
    ///
    /// # Errors
    /// `NotFound` cert, `Unavailable`.
    pub async fn load_certificate(&self, id: ObjectId) -> Result<Certificate> {
        certificates::find(&self.storage, id).await?.ok_or(Error::NotFound { what: "cert" })
    }

    /// The certificate stored under a name.
    ///
    /// # Errors
    /// `NotFound` cert, `Unavailable`.
    pub async fn load_certificate_by_name(&self, name: &str) -> Result<Certificate> {
        let missing = Error::NotFound { what: "cert" };
        let Ok(name) = server_name_form(name) else { return Err(missing) };
        certificates::find_by_name(&self.storage, &name).await?.ok_or(missing)
    }

    /// The certificate for a name a client asks for: the one stored under it, else the one that is
    /// for it or its parent's `*` and lasts longest. One or two round trips.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn find_certificate(&self, name: &str) -> Result<Option<Certificate>> {
        let Ok(name) = server_name_form(name) else { return Ok(None) };
        let exact = certificates::find_by_name(&self.storage, &name).await?;
        if let Some(exact) = exact.filter(|exact| !exact.chain.is_empty()) {
            return Ok(Some(exact));
        }
        // RFC 9525 §6.3: `*` stands for one label
        let parent = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        let names: Vec<String> = [name].into_iter().chain(parent).collect();
        certificates::find_by_alt_names(&self.storage, &names).await
    }

    /// Removes a certificate.
    ///
    /// # Errors
    /// `NotFound` cert, `Unavailable`.
    pub async fn delete_certificate(&self, id: ObjectId) -> Result<()> {
        let stored = self.load_certificate(id).await?;
        if !certificates::delete(&self.storage, id).await? {
            return Err(Error::NotFound { what: "cert" });
        }
        self.emit(event("cert.deleted", &stored)).await;
        Ok(())
    }

    /// One page of certificates in order of names.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_certificates(
        &self,
        listing: &CertificateListing,
        around: Around<&str>,
        limit: usize,
    ) -> Result<Page<Certificate>> {
        let (after, before) = around.after_and_before();
        let one_more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        let rows = certificates::list(&self.storage, listing, after, before, one_more).await?;
        let total = certificates::count(&self.storage, listing).await?;
        Ok(super::page(rows, total, limit, before.is_some()))
    }
}

pub(super) fn event(name: &'static str, certificate: &Certificate) -> Event {
    let event = Event::of_store(name).with("cert", certificate.id);
    let event = event.with("servername", &certificate.server_name);
    event.with("fingerprint", &certificate.fingerprint)
}

/// A server's name as it is looked up by: lowercase, in ASCII as clients send it.
pub(super) fn server_name_form(name: &str) -> Result<String> {
    let bad = || Error::invalid("servername", "\"servername\" must be a host name");
    let ascii = idna::domain_to_ascii(domain_form(name).map_err(|_| bad())?.as_str());
    ascii.ok().filter(|name| !name.is_empty()).ok_or_else(bad)
}

/// All names of a certificate, its subject's if it has no other, and when it ends.
pub(super) fn described(leaf: &[u8]) -> Result<(Vec<String>, i64)> {
    let bad = |_| Error::invalid("cert", "\"cert\" cannot be read");
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(bad)?;
    let mut names = Vec::new();
    if let Ok(Some(extension)) = certificate.subject_alternative_name() {
        for name in &extension.value.general_names {
            if let GeneralName::DNSName(name) = name {
                names.push(name.to_lowercase());
            }
        }
    }
    if names.is_empty() {
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        names.extend(common.map(str::to_lowercase));
    }
    let expires_ms = certificate.validity().not_after.timestamp().saturating_mul(1000);
    Ok((names, expires_ms))
}
