//! Keys and wishes for the encryption of a user's mail, in his document (`storage/users.rs`).

use super::Storage;
use super::field::oid;
use super::record::user::{ENCRYPTION_FIELDS, read_encryption};
use crate::model::error::Result;
use crate::model::id::UserId;
use crate::model::profile::Encryption;
use bson::{Bson, Document, doc};

/// A user's keys and wishes; nothing for one who does not exist. One round trip.
///
/// # Errors
/// `Unavailable`.
pub async fn find(storage: &Storage, user: UserId) -> Result<Encryption> {
    let fields: Document =
        ENCRYPTION_FIELDS.iter().map(|name| ((*name).to_owned(), Bson::Int32(1))).collect();
    let found = storage.users().find_one(doc! { "_id": oid(user) }).projection(fields).await?;
    Ok(found.as_ref().map(read_encryption).unwrap_or_default())
}
