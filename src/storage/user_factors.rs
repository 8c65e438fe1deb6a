//! Second factors of a user, in his document (`storage/users.rs`).

use super::Storage;
use super::field::{date, oid};
use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use bson::{Document, doc};

async fn change(storage: &Storage, user: UserId, change: Document) -> Result<()> {
    let updated = storage.users().update_one(doc! { "_id": oid(user) }, change).await?;
    if updated.matched_count == 0 {
        return Err(Error::NotFound { what: "user" });
    }
    Ok(())
}

/// Keeps a secret that is to be confirmed: one round trip.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn set_pending_seed(
    storage: &Storage,
    user: UserId,
    seed: &str,
    now_ms: i64,
) -> Result<()> {
    let set = doc! { "pendingSeed": seed, "pendingSeedChanged": date(now_ms) };
    change(storage, user, doc! { "$set": set }).await
}

/// Switches a factor on, with the secret of codes; the first one ends tokens and sessions. One round
/// trip.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn enable(
    storage: &Storage,
    user: UserId,
    factor: &str,
    seed: Option<&str>,
    is_first: bool,
) -> Result<()> {
    let mut update = doc! { "$addToSet": { "enabled2fa": factor } };
    if let Some(seed) = seed {
        update.insert("$set", doc! { "seed": seed });
        update.insert("$unset", doc! { "pendingSeed": 1, "pendingSeedChanged": 1 });
    }
    if is_first {
        update.insert("$inc", doc! { "authVersion": 1_i64 });
    }
    change(storage, user, update).await
}

/// Switches a factor off, or all of them, and forgets their secrets: one round trip.
///
/// # Errors
/// `NotFound` user, `Unavailable`.
pub async fn disable(storage: &Storage, user: UserId, factor: Option<&str>) -> Result<()> {
    let seeds = doc! { "seed": 1, "pendingSeed": 1, "pendingSeedChanged": 1 };
    let update = match factor {
        Some("totp") => doc! { "$pull": { "enabled2fa": "totp" }, "$unset": seeds },
        Some(other) => doc! { "$pull": { "enabled2fa": other } },
        None => {
            let mut unset = seeds;
            unset.insert("webauthn", 1);
            doc! { "$set": { "enabled2fa": Vec::<String>::new() }, "$unset": unset }
        }
    };
    change(storage, user, update).await
}
