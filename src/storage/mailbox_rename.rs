//! New names for many mailboxes with few commands.

use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::model::mailbox::Mailbox;
use crate::storage::Storage;
use crate::storage::field::{get_count, get_int, int, oid};
use bson::{Bson, Document, doc};
use mongodb::ClientSession;

/// Statements of one command.
const STATEMENTS_MAX: usize = 250;
/// The server's code for a duplicate key.
const DUPLICATE_KEY: i64 = 11_000;

/// Gives mailboxes their new names and ModSeqs, in this order, inside a transaction that has read
/// them: the ModSeq must still be one less. One round trip per 250. (The driver's bulk write needs
/// MongoDB 8.)
///
/// # Errors
/// `AlreadyExists` when a name is taken, `NotFound` when one is gone, `Unavailable`.
pub async fn rename(
    storage: &Storage,
    session: &mut ClientSession,
    user: UserId,
    renamed: &[Mailbox],
) -> Result<()> {
    for batch in renamed.chunks(STATEMENTS_MAX) {
        let statement = |mailbox: &Mailbox| {
            let (before, after) = (int(mailbox.mod_seq.saturating_sub(1)), int(mailbox.mod_seq));
            let filter = doc! { "_id": oid(mailbox.id), "user": oid(user), "mod_seq": before };
            let set = doc! { "name": mailbox.name.as_str(), "mod_seq": after };
            doc! { "q": filter, "u": { "$set": set } }
        };
        let statements: Vec<Document> = batch.iter().map(statement).collect();
        let command = doc! { "update": "mailboxes", "updates": statements, "ordered": true };
        let reply = storage.database().run_command(command).session(&mut *session).await?;
        refuse(&reply)?;
        if get_count(&reply, "n") != batch.len() as u64 {
            return Err(Error::NotFound { what: "mailbox" });
        }
    }
    Ok(())
}

/// The error of a bulk write, which is part of an answer that went well.
fn refuse(reply: &Document) -> Result<()> {
    let errors = reply.get_array("writeErrors");
    let first = errors.ok().and_then(|errors| errors.first()).and_then(Bson::as_document);
    match first.map(|error| get_int(error, "code")) {
        None => Ok(()),
        Some(DUPLICATE_KEY) => Err(Error::AlreadyExists { what: "mailbox" }),
        Some(_) => Err(Error::Internal { reason: "a bulk write was refused", source: None }),
    }
}
