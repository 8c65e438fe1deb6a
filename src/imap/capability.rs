//! CAPABILITY: only what is true now (RFC 9051 §6.1.1, §7.2.2).

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::auth::mechanism::Mechanism;

/// Before login: the protocol and how to log in.
const ALWAYS: &str = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE";
/// What commands can do.
const EXTENSIONS: &str = "IDLE NAMESPACE UNSELECT CHILDREN SPECIAL-USE UIDPLUS MOVE ESEARCH \
     SEARCHRES BINARY LIST-EXTENDED LIST-STATUS STATUS=SIZE WITHIN SAVEDATE UTF8=ACCEPT";
/// What SEARCH, SORT and THREAD can do.
const SEARCHING: &str = "SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS \
     CONTEXT=SEARCH CONTEXT=SORT PARTIAL MULTISEARCH SEARCH=FUZZY I18NLEVEL=1 I18NLEVEL=2 LANGUAGE";
/// What APPEND and FETCH can do.
const MESSAGES: &str = "MULTIAPPEND CATENATE URLAUTH URLAUTH=BINARY URL-PARTIAL REPLACE PREVIEW";
/// How a session is kept up to date.
const UPDATES: &str = "CONDSTORE QRESYNC UIDONLY INPROGRESS NOTIFY";
/// What there is about mailboxes: names, rights, annotations, quota.
const MAILBOXES: &str = "ACL RIGHTS=texk METADATA METADATA-SERVER LIST-METADATA LIST-MYRIGHTS \
     QUOTA QUOTASET QUOTA=RES-STORAGE QUOTA=RES-MESSAGE QUOTA=RES-MAILBOX CREATE-SPECIAL-USE XLIST \
     OBJECTID";

/// The names, separated by spaces.
pub fn capabilities(session: &Session) -> String {
    let mut names = ALWAYS.to_owned();
    if session.login.is_none() {
        if !session.stream.is_tls()
            && session.context.tls.is_some()
            && !session.stream.is_compressed()
        {
            names.push_str(" STARTTLS");
        }
        // RFC 9051 §6.2.3: a client must not try to send a password that would be refused
        if session.may_send_password() {
            for mechanism in Mechanism::offered(session.stream.is_tls()) {
                names.push_str(" AUTH=");
                names.push_str(mechanism.name());
            }
        } else {
            names.push_str(" LOGINDISABLED");
        }
    }
    if session.login.is_some() {
        names.push_str(" UNAUTHENTICATE");
        if !session.stream.is_compressed() {
            names.push_str(" COMPRESS=DEFLATE");
        }
    }
    for more in [EXTENSIONS, SEARCHING, MESSAGES, UPDATES, MAILBOXES] {
        names.push(' ');
        names.push_str(more);
    }
    if session.context.settings.gmail_extension {
        names.push_str(" X-GM-EXT-1");
    }
    match session.context.settings.message_limit {
        0 => {}
        limit => names.push_str(&format!(" MESSAGELIMIT={limit}")),
    }
    names.push_str(&format!(" APPENDLIMIT={}", session.context.settings.message_octets_max));
    names
}

impl Session {
    /// Whether a password may be sent on this connection.
    pub fn may_send_password(&self) -> bool {
        self.stream.is_tls() || self.context.settings.allows_plaintext(self.stream.peer().ip())
    }

    /// CAPABILITY.
    pub fn capability(&mut self) -> Outcome {
        let names = capabilities(self);
        let names: Vec<&str> = names.split(' ').collect();
        self.writer().capability(&names);
        Ok(Reply::ok("Capabilities listed"))
    }
}
