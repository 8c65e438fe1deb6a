//! The doorbell: a change stream over the inserts into `changes`, cut down to who and where.

use crate::model::error::{Error, Result};
use crate::model::id::{MailboxId, UserId};
use crate::storage::Storage;
use crate::storage::changes::Doorbell;
use crate::storage::field::get_id;
use bson::{Document, doc};
use futures_util::StreamExt;
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::ChangeStreamEvent;
use std::time::Duration;

/// Something was committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ring {
    /// To a mailbox of a user.
    Mailbox(UserId, MailboxId),
    /// To a user: his sessions must look whether they may go on.
    Sessions(UserId),
    /// To a user: subscriptions, annotations.
    User(UserId),
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
            "fullDocument.user": 1, "fullDocument.mailbox": 1, "fullDocument.kind": 1,
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
            let user = get_id(&change, "user")?;
            if change.contains_key("mailbox") {
                return Ok(Ring::Mailbox(user, get_id(&change, "mailbox")?));
            }
            let is_sessions =
                change.get_str("kind").is_ok_and(|kind| kind == Doorbell::Sessions.name());
            return Ok(if is_sessions { Ring::Sessions(user) } else { Ring::User(user) });
        }
    }
}
