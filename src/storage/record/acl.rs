//! `mailboxes.acl`: an array of entries.
//!
//! | field | type | what |
//! |---|---|---|
//! | `who` | ObjectId or null | the user; null is anyone |
//! | `rights` | string | letters of RFC 4314 §2.1 |
//! | `neg` | true | the rights are taken away; absent otherwise |

use crate::model::rights::{Acl, Grant, Rights, Who};
use crate::storage::field::{id_of, oid};
use bson::{Bson, Document, doc};

/// The array of a list.
pub(crate) fn write_acl(acl: &Acl) -> Bson {
    let entry = |grant: &Grant| {
        let mut entry = doc! { "who": write_who(grant.who), "rights": grant.rights.to_string() };
        if grant.negative {
            entry.insert("neg", true);
        }
        Bson::Document(entry)
    };
    Bson::Array(acl.0.iter().map(entry).collect())
}

/// The value of an identifier.
pub(crate) fn write_who(who: Who) -> Bson {
    match who {
        Who::Anyone => Bson::Null,
        Who::User(user) => oid(user).into(),
    }
}

/// The list of a mailbox document. What cannot be read grants nothing.
pub(crate) fn read_acl(mailbox: &Document) -> Acl {
    let Ok(entries) = mailbox.get_array("acl") else { return Acl::default() };
    Acl(entries.iter().filter_map(Bson::as_document).filter_map(read_grant).collect())
}

fn read_grant(entry: &Document) -> Option<Grant> {
    let who = match entry.get("who")? {
        Bson::Null => Who::Anyone,
        Bson::ObjectId(user) => Who::User(id_of(*user)),
        _ => return None,
    };
    let negative = entry.get_bool("neg").unwrap_or(false);
    let rights = Rights::from_letters(entry.get_str("rights").ok()?)?;
    Some(Grant { who, negative, rights })
}
