//! Files a user uploads to attach them to messages later.

use super::Mailstore;
use crate::model::error::{Error, Result};
use crate::model::id::{ObjectId, UserId};
use crate::model::limits::{CHUNK_OCTETS, MESSAGE_OCTETS_MAX};
use crate::model::profile::Page;
use crate::storage::field::new_id;
use crate::storage::files;
use bytes::{Bytes, BytesMut};

pub use crate::storage::files::File;

/// Files of one user.
const FILES_MAX: u64 = 1000;
/// Octets of all files of one user.
const FILES_OCTETS_MAX: u64 = 1024 * 1024 * 1024;

/// A file to store.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Its name.
    pub filename: String,
    /// Its media type.
    pub content_type: String,
    /// Content-ID without angle brackets.
    pub cid: Option<String>,
    /// Its octets.
    pub octets: Bytes,
}

/// A file's place in the order of listings.
pub type FilePlace = (String, ObjectId);

impl Mailstore {
    /// Stores a file. Two round trips, and one for each 8 MB.
    ///
    /// # Errors
    /// `TooLarge`, `LimitReached`, `Unavailable`.
    pub async fn create_file(&self, user: UserId, new: NewFile) -> Result<ObjectId> {
        let octets = new.octets.len() as u64;
        if octets > MESSAGE_OCTETS_MAX {
            return Err(Error::TooLarge { octets_max: MESSAGE_OCTETS_MAX });
        }
        let (count, used) = files::sum(self.storage(), user).await?;
        if count >= FILES_MAX || used.saturating_add(octets) > FILES_OCTETS_MAX {
            let limit = format!("{FILES_MAX} files, {FILES_OCTETS_MAX} octets of files");
            return Err(Error::LimitReached { limit });
        }
        let file = File {
            id: new_id(),
            filename: new.filename,
            content_type: new.content_type,
            cid: new.cid,
            octets,
            created_ms: self.clock().now_ms(),
        };
        files::insert(self.storage(), user, &file, &new.octets).await?;
        Ok(file.id)
    }

    /// A page of a user's files by name, those whose name contains a text. Two round trips.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn list_files(
        &self,
        user: UserId,
        query: Option<&str>,
        (after, before): (Option<FilePlace>, Option<FilePlace>),
        limit: usize,
    ) -> Result<Page<File>> {
        let ascending = after.is_some() || before.is_none();
        let one_more = i64::try_from(limit.min(1000)).unwrap_or(1000) + 1;
        let beyond = after.or(before);
        let page = (ascending, one_more);
        let mut rows = files::page(self.storage(), user, query, beyond.as_ref(), page).await?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        if !ascending {
            rows.reverse();
        }
        let total = files::count(self.storage(), user, query).await?;
        Ok(Page { rows, total, has_more })
    }

    /// One file. One round trip.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn find_file(&self, user: UserId, id: ObjectId) -> Result<File> {
        let found = files::find(self.storage(), user, id).await?;
        found.ok_or(Error::NotFound { what: "file" })
    }

    /// A piece of a file by its number from 0, at most 1 MiB. Two round trips.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load_file_piece(&self, user: UserId, file: &File, index: u32) -> Result<Bytes> {
        let piece = files::load_piece(self.storage(), user, file.id, index).await?;
        piece.ok_or(Error::NotFound { what: "file" })
    }

    /// All octets of a file, which is no longer than a message.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn load_file(&self, user: UserId, file: &File) -> Result<Bytes> {
        let mut octets = BytesMut::new();
        for index in 0..pieces_of(file) {
            octets.extend_from_slice(&self.load_file_piece(user, file, index).await?);
        }
        Ok(octets.freeze())
    }

    /// Removes a file. Two round trips.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn delete_file(&self, user: UserId, id: ObjectId) -> Result<()> {
        match files::delete(self.storage(), user, id).await? {
            true => Ok(()),
            false => Err(Error::NotFound { what: "file" }),
        }
    }
}

/// The number of pieces of a file.
pub fn pieces_of(file: &File) -> u32 {
    u32::try_from(file.octets.div_ceil(CHUNK_OCTETS as u64)).unwrap_or(u32::MAX)
}
