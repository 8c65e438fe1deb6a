//! The doorbell: a change stream over the inserts into `changes`, cut down to who, where and which
//! ModSeq.

use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::model::uid::ModSeq;
use crate::storage::Storage;
use crate::storage::field::{get_count, get_id};
use bson::{Document, doc};
use futures_util::StreamExt;
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::ChangeStreamEvent;
use std::time::Duration;

/// Something was committed to a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ring {
    /// Whose.
    pub user: UserId,
    /// Where.
    pub mailbox: MailboxId,
    /// Which.
    pub mod_seq: ModSeq,
}

/// An open stream of rings; it begins at the time it was opened.
#[derive(Debug)]
pub struct Watch {
    stream: ChangeStream<ChangeStreamEvent<Document>>,
}

/// Opens a stream.
///
/// # Errors
/// `Unavailable`; `Internal` when the server has no change streams.
pub async fn open(storage: &Storage) -> Result<Watch> {
    let pipeline = [
        doc! { "$match": { "operationType": "insert" } },
        doc! { "$project": {
            "operationType": 1, "ns": 1,
            "fullDocument.user": 1, "fullDocument.mailbox": 1, "fullDocument.mod_seq": 1,
        } },
    ];
    let stream =
        storage.changes().watch().pipeline(pipeline).max_await_time(Duration::from_secs(5)).await?;
    Ok(Watch { stream })
}

impl Watch {
    /// The next ring. The driver resumes a stream that was cut once; an error is final.
    ///
    /// # Errors
    /// `Unavailable` when the stream has ended.
    pub async fn next(&mut self) -> Result<Ring> {
        loop {
            let Some(event) = self.stream.next().await else {
                return Err(Error::Unavailable { reason: "the change stream ended", source: None });
            };
            let Some(change) = event?.full_document else { continue };
            return Ok(Ring {
                user: get_id(&change, "user")?,
                mailbox: get_id(&change, "mailbox")?,
                mod_seq: get_count(&change, "mod_seq"),
            });
        }
    }
}
