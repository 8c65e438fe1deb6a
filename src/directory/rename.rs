//! Renaming a domain everywhere.

use super::Directory;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::storage::{addresses, dkim_keys, domain_aliases, transaction, users};

/// What was renamed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Renamed {
    /// Addresses.
    pub addresses: u64,
    /// Users whose main address it was.
    pub users: u64,
    /// Signing keys.
    pub dkim: u64,
    /// Aliases that lead to the new domain.
    pub aliases: u64,
}

impl Directory {
    /// Renames a domain in addresses, main addresses, aliases and signing keys, one address after
    /// the other: what is not done yet after a failure is done by a repetition. An address that
    /// exists at the new domain already stays.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn rename_domain(&self, old: &str, new: &str) -> Result<Renamed> {
        let mut renamed = Renamed::default();
        let mut after: Option<String> = None;
        loop {
            let rows = addresses::list_of_domain(&self.storage, old, after.as_deref(), 250).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.lookup.clone());
            for entry in rows {
                let move_to = |text: &str| {
                    let local = text.rsplit_once('@').map_or(text, |(local, _)| local);
                    format!("{local}@{new}")
                };
                let (address, lookup) = (move_to(&entry.address), move_to(&entry.lookup));
                let nothing = crate::model::profile::AddressUpdate::default();
                let done = transaction::run!(&self.storage, async |session| {
                    let forms = Some((address.as_str(), lookup.as_str()));
                    addresses::update(&self.storage, session, &entry, &nothing, forms).await?;
                    match entry.user {
                        Some(user) => {
                            let before = entry.address.as_str();
                            users::move_address(&self.storage, session, user, before, &address)
                                .await
                        }
                        None => Ok(false),
                    }
                })
                .await;
                match done {
                    Ok(was_main) => {
                        renamed.addresses += 1;
                        renamed.users += u64::from(was_main);
                    }
                    Err(Error::AlreadyExists { .. } | Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        renamed.aliases = domain_aliases::rename_domain(&self.storage, old, new).await?;
        renamed.dkim = dkim_keys::rename_domain(&self.storage, old, new).await?;
        let event = Event::of_store("address.domain.renamed").with("previous", old);
        self.emit(event.with("current", new)).await;
        Ok(renamed)
    }
}
