//! Addresses without a user: what comes there goes on to their targets.

use super::Directory;
use super::address::{NewAddress, checked, plain_forms};
use crate::auth::name::normal_address;
use crate::model::error::{Error, Result};
use crate::model::event::Event;
use crate::model::forward::Forwarding;
use crate::model::id::AddressId;
use crate::model::profile::{AddressEntry, AddressUpdate};
use crate::model::target::{ForwardTarget, TargetKind};
use crate::model::window::{Window, WindowUse};
use crate::storage::field::new_id;
use crate::storage::{addresses, rate_limits, transaction};

/// Targets of one address or user.
const TARGETS_MAX: usize = 1000;

impl Directory {
    /// Adds an address that only forwards; `targets` as they are written.
    ///
    /// # Errors
    /// `Invalid`, `AlreadyExists` address, `Unavailable`.
    pub async fn create_forwarded(&self, new: NewAddress, targets: &[String]) -> Result<AddressId> {
        let (address, lookup) = checked(&new)?;
        let mut forwarding = new.update.forwarding.unwrap_or_default();
        forwarding.targets = Self::forward_targets(targets, Some(&lookup))?;
        let entry = AddressEntry {
            id: new_id(),
            user: None,
            forwarding: Some(forwarding),
            address,
            lookup,
            name: new.update.name.unwrap_or_default(),
            tags: new.update.tags.unwrap_or_default(),
            meta_data: new.update.meta_data,
            internal_data: new.update.internal_data,
            created_ms: self.clock.now_ms(),
        };
        transaction::run!(&self.storage, async |session| {
            addresses::insert(&self.storage, session, &entry).await
        })
        .await?;
        let event = Event::of_store("address.forwarded.created").with("address", entry.id);
        self.emit(event.with("value", &entry.address)).await;
        Ok(entry.id)
    }

    /// One address that only forwards.
    ///
    /// # Errors
    /// `NotFound` address, `Unavailable`.
    pub async fn load_forwarded(&self, id: AddressId) -> Result<(AddressEntry, Forwarding)> {
        let found = addresses::find_any(&self.storage, id).await?;
        let entry = found.filter(|entry| entry.user.is_none());
        let entry = entry.ok_or(Error::NotFound { what: "address" })?;
        let forwarding = entry.forwarding.clone().unwrap_or_default();
        Ok((entry, forwarding))
    }

    /// Changes an address that only forwards; `targets` replace those it has.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `AlreadyExists`, `Forbidden` for renaming patterns, `Unavailable`.
    pub async fn update_forwarded(
        &self,
        id: AddressId,
        mut update: AddressUpdate,
        renamed: Option<&str>,
        targets: Option<&[String]>,
    ) -> Result<()> {
        let (entry, before) = self.load_forwarded(id).await?;
        let renamed = match renamed {
            Some(text) if entry.address.contains('*') || text.contains('*') => {
                if text == entry.address {
                    None
                } else {
                    return Err(Error::Forbidden { reason: "a pattern cannot be renamed" });
                }
            }
            Some(text) => Some(plain_forms(text)?),
            None => None,
        };
        let lookup = renamed.as_ref().map_or(entry.lookup.as_str(), |new| new.1.as_str());
        if let Some(targets) = targets {
            let mut forwarding = update.forwarding.unwrap_or(before);
            forwarding.targets = Self::forward_targets(targets, Some(lookup))?;
            update.forwarding = Some(forwarding);
        }
        transaction::run!(&self.storage, async |session| {
            let forms = renamed.as_ref().map(|new| (new.0.as_str(), new.1.as_str()));
            addresses::update(&self.storage, session, &entry, &update, forms).await
        })
        .await
    }

    /// Removes an address that only forwards; what it was.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn delete_forwarded(&self, id: AddressId) -> Result<AddressEntry> {
        let (entry, _) = self.load_forwarded(id).await?;
        let was_there = transaction::run!(&self.storage, async |session| {
            addresses::delete(&self.storage, session, &entry).await
        })
        .await?;
        if !was_there {
            return Err(Error::NotFound { what: "address" });
        }
        let event = Event::of_store("address.forwarded.deleted").with("address", entry.id);
        self.emit(event.with("value", &entry.address)).await;
        Ok(entry)
    }

    /// Targets of what is written, each once; an address of ours must not be `own`, a lookup form.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn forward_targets(texts: &[String], own: Option<&str>) -> Result<Vec<ForwardTarget>> {
        if texts.len() > TARGETS_MAX {
            return Err(Error::invalid("targets", format!("at most {TARGETS_MAX} targets")));
        }
        let mut targets: Vec<ForwardTarget> = Vec::new();
        for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
            let mut target = ForwardTarget::new(text)
                .map_err(|_| Error::invalid("targets", format!("Unknown target type {text:?}")))?;
            if target.kind == TargetKind::Mail {
                let address = normal_address(&target.value)
                    .map_err(|_| Error::invalid("targets", format!("Invalid address {text:?}")))?;
                if own == Some(address.lookup_form().as_str()) {
                    let reason = format!("Can not forward to self {text:?}");
                    return Err(Error::invalid("targets", reason));
                }
                target.value = address.to_string();
            }
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        Ok(targets)
    }

    /// How many forwards an address without a user has made, and may make.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn forwards_of_address(&self, entry: &AddressEntry) -> Result<WindowUse> {
        let limit = entry.forwarding.as_ref().map_or(0, |forwarding| forwarding.forwards_max);
        let now = self.clock.now_ms();
        rate_limits::find_window(&self.storage, Window::Forwards, entry.id, limit, now).await
    }
}
