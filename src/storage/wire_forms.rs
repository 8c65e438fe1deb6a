//! ENVELOPE, BODY and BODYSTRUCTURE of many messages, as the octets the database sent: the first
//! sync of a client. Nothing is copied between the socket of the database and the client's.
//!
//! The projection holds the UID and the asked forms only; what else a row has, the view knows.

use super::messages::{BATCH, Chunks, collection, in_mailbox};
use super::record::message::Fields;
use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::uid::{Uid, UidSet};
use crate::storage::Storage;
use bson::raw::{RawBsonRef, RawDocument};
use bson::{Document, doc};
use futures_util::StreamExt;
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};

/// The stored forms of one message; those not asked for are empty.
#[derive(Clone, Copy, Default, Debug)]
pub struct WireForms<'a> {
    /// UID.
    pub uid: Uid,
    /// ENVELOPE.
    pub envelope: &'a [u8],
    /// BODY.
    pub body: &'a [u8],
    /// BODYSTRUCTURE.
    pub bodystructure: &'a [u8],
}

/// Batches ascending by UID, one cursor at a time.
pub struct Stream {
    storage: Storage,
    base: Document,
    projection: Document,
    chunks: Chunks,
    cursor: Option<RawBatchCursor>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Opens a stream; nothing is read yet. One round trip per chunk of the set and per 1,000 messages.
pub fn stream(
    storage: &Storage,
    user: UserId,
    mailbox: MailboxId,
    uids: &UidSet,
    fields: Fields,
) -> Stream {
    let mut projection = doc! { "_id": 0, "uid": 1 };
    let forms = [(fields.envelope, "env"), (fields.body, "body"), (fields.bodystructure, "struct")];
    for (_, name) in forms.into_iter().filter(|(wanted, _)| *wanted) {
        projection.insert(name, 1);
    }
    let base = in_mailbox(user, mailbox);
    Stream { storage: storage.clone(), base, projection, chunks: Chunks::new(uids), cursor: None }
}

impl Stream {
    /// The next batch; `None` at the end.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn next(&mut self) -> Result<Option<Batch>> {
        loop {
            if let Some(cursor) = &mut self.cursor {
                if let Some(batch) = cursor.next().await {
                    return Ok(Some(Batch { batch: batch? }));
                }
                self.cursor = None;
            }
            let Some(chunk) = self.chunks.next() else { return Ok(None) };
            let mut filter = self.base.clone();
            filter.insert("uid", chunk);
            let messages = collection(&self.storage);
            let find = messages.find(filter);
            let find = find.projection(self.projection.clone()).sort(doc! { "uid": 1 });
            self.cursor = Some(find.batch_size(BATCH).batch().await?);
        }
    }
}

/// Some messages, as the database sent them.
#[derive(Debug)]
pub struct Batch {
    batch: RawBatch,
}

impl Batch {
    /// The messages, ascending by UID.
    ///
    /// # Errors
    /// `Internal` for a reply or a document that cannot be read.
    pub fn iter(&self) -> Result<impl Iterator<Item = Result<WireForms<'_>>>> {
        let documents = self.batch.doc_slices()?.into_iter();
        Ok(documents.map(|document| match document {
            Ok(RawBsonRef::Document(document)) => read(document),
            Ok(_) => Err(broken(None)),
            Err(error) => Err(broken(Some(error))),
        }))
    }
}

fn broken(source: Option<bson::error::Error>) -> Error {
    let source = source.map(Into::into);
    Error::Internal { reason: "a message document cannot be read", source }
}

fn read(document: &RawDocument) -> Result<WireForms<'_>> {
    let mut forms = WireForms::default();
    for element in document {
        let (key, value) = element.map_err(|error| broken(Some(error)))?;
        match (key.as_str(), value) {
            ("uid", RawBsonRef::Int64(uid)) => {
                forms.uid = Uid::try_from(uid).map_err(|_| broken(None))?;
            }
            ("env", RawBsonRef::Binary(octets)) => forms.envelope = octets.bytes,
            ("body", RawBsonRef::Binary(octets)) => forms.body = octets.bytes,
            ("struct", RawBsonRef::Binary(octets)) => forms.bodystructure = octets.bytes,
            _ => return Err(broken(None)),
        }
    }
    Ok(forms)
}
