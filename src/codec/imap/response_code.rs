//! Response codes (RFC 9051 §7.1, RFC 5530, RFC 7162, RFC 4315 and the registry).

use super::response::Writer;
use crate::model::uid::{ModSeq, SeqNum, Uid, UidSet, UidValidity};

/// A response code, written between `[` and `]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResponseCode {
    /// `ALERT`: the text must be shown to the user.
    Alert,
    /// `BADCHARSET`
    BadCharset,
    /// `CAPABILITY …`: names separated by one space.
    Capability(String),
    /// `PARSE`
    Parse,
    /// `PERMANENTFLAGS (...)`: names; `\*` if keywords may be added.
    PermanentFlags(Vec<String>),
    /// `READ-ONLY`
    ReadOnly,
    /// `READ-WRITE`
    ReadWrite,
    /// `TRYCREATE`
    TryCreate,
    /// `UIDNEXT`
    UidNext(Uid),
    /// `UIDVALIDITY`
    UidValidity(UidValidity),
    /// `UNSEEN` (RFC 3501)
    Unseen(SeqNum),
    /// `APPENDUID`
    AppendUid(UidValidity, UidSet),
    /// `COPYUID`: source and destination sets correspond in ascending order (RFC 4315 §3).
    CopyUid(UidValidity, UidSet, UidSet),
    /// `UIDNOTSTICKY`
    UidNotSticky,
    /// `HIGHESTMODSEQ`
    HighestModSeq(ModSeq),
    /// `NOMODSEQ`
    NoModSeq,
    /// `MODIFIED`: sequence numbers, or UIDs after UID STORE.
    Modified(UidSet),
    /// `CLOSED`
    Closed,
    /// `MAILBOXID` (RFC 8474)
    MailboxId(String),
    /// `NOUPDATE` (RFC 5267 §4.3.1): the tag of the command whose result is not updated.
    NoUpdate(String),
    /// `BADCOMPARATOR` (RFC 5255 §4.9)
    BadComparator,
    /// `NOTSAVED` (RFC 5182)
    NotSaved,
    /// `NONEXISTENT`
    Nonexistent,
    /// `ALREADYEXISTS`
    AlreadyExists,
    /// `CANNOT`
    Cannot,
    /// `AUTHENTICATIONFAILED`
    AuthenticationFailed,
    /// `AUTHORIZATIONFAILED`
    AuthorizationFailed,
    /// `EXPIRED`
    Expired,
    /// `PRIVACYREQUIRED`
    PrivacyRequired,
    /// `CONTACTADMIN`
    ContactAdmin,
    /// `NOPERM`
    NoPerm,
    /// `INUSE`
    InUse,
    /// `LIMIT`
    Limit,
    /// `OVERQUOTA`
    OverQuota,
    /// `TOOBIG` (RFC 4469, RFC 7889)
    TooBig,
    /// `UNAVAILABLE`
    Unavailable,
    /// `SERVERBUG`
    ServerBug,
    /// `CLIENTBUG`
    ClientBug,
    /// `HASCHILDREN`
    HasChildren,
    /// `EXPUNGEISSUED`
    ExpungeIssued,
    /// `CORRUPTION`
    Corruption,
    /// `UNKNOWN-CTE`
    UnknownCte,
    /// `BADEVENT (...)`: the events that are offered (RFC 5465 §3.1).
    BadEvent(&'static [&'static str]),
    /// `NOTIFICATIONOVERFLOW` (RFC 5465 §5.8)
    NotificationOverflow,
    /// `COMPRESSIONACTIVE` (RFC 4978 §3)
    CompressionActive,
    /// `INPROGRESS ("tag" done total)` (RFC 9585 §4)
    InProgress(String, Option<u64>, Option<u64>),
    /// `UIDREQUIRED` (RFC 9586 §3.1)
    UidRequired,
    /// `MESSAGELIMIT n [uid]` (RFC 9738 §3.1): the limit and the lowest UID that was done.
    MessageLimit(u32, Option<Uid>),
    /// `USEATTR` (RFC 6154 §3)
    UseAttr,
    /// `BADURL` (RFC 4469 §4): the URL as the client wrote it.
    BadUrl(String),
    /// `URLMECH INTERNAL` (RFC 4467 §6.3)
    UrlMech,
    /// `METADATA LONGENTRIES n` (RFC 5464 §4.2.1)
    MetadataLongEntries(u64),
    /// `METADATA MAXSIZE n` (RFC 5464 §4.3)
    MetadataMaxSize(u64),
    /// `METADATA TOOMANY` (RFC 5464 §4.3)
    MetadataTooMany,
}

impl Writer<'_> {
    /// `resp-text-code` without its brackets.
    pub fn code(&mut self, code: &ResponseCode) -> &mut Self {
        use ResponseCode as Code;
        match code {
            Code::Capability(names) => self.raw(b"CAPABILITY ").text(names),
            Code::PermanentFlags(names) => {
                self.raw(b"PERMANENTFLAGS ").list_of(names.iter().map(String::as_str))
            }
            Code::UidNext(uid) => self.raw(b"UIDNEXT ").number(u64::from(*uid)),
            Code::UidValidity(validity) => self.raw(b"UIDVALIDITY ").number(u64::from(*validity)),
            Code::Unseen(seq) => self.raw(b"UNSEEN ").number(u64::from(*seq)),
            Code::MessageLimit(limit, lowest) => {
                self.raw(b"MESSAGELIMIT ").number(u64::from(*limit));
                match lowest {
                    Some(lowest) => self.raw(b" ").number(u64::from(*lowest)),
                    None => self,
                }
            }
            Code::AppendUid(validity, uids) => {
                self.raw(b"APPENDUID ").number(u64::from(*validity)).raw(b" ").number_set(uids)
            }
            Code::CopyUid(validity, from, to) => self
                .raw(b"COPYUID ")
                .number(u64::from(*validity))
                .raw(b" ")
                .number_set(from)
                .raw(b" ")
                .number_set(to),
            Code::HighestModSeq(mod_seq) => self.raw(b"HIGHESTMODSEQ ").number(*mod_seq),
            Code::Modified(numbers) => self.raw(b"MODIFIED ").number_set(numbers),
            Code::BadEvent(names) => self.raw(b"BADEVENT ").list_of(names.iter().copied()),
            Code::InProgress(tag, done, total) => {
                self.raw(b"INPROGRESS (").string(tag.as_bytes());
                for number in [done, total] {
                    match number {
                        Some(number) => self.raw(b" ").number(*number),
                        None => self.raw(b" NIL"),
                    };
                }
                self.raw(b")")
            }
            Code::NoUpdate(tag) => self.raw(b"NOUPDATE ").string(tag.as_bytes()),
            Code::MailboxId(id) => self.raw(b"MAILBOXID (").text(id).raw(b")"),
            // resp-text-code ends at the bracket (RFC 9051 §9)
            Code::BadUrl(url) if url.contains([']', '\r', '\n']) => self.text("BADURL"),
            Code::BadUrl(url) => self.raw(b"BADURL ").string(url.as_bytes()),
            Code::MetadataLongEntries(octets) | Code::MetadataMaxSize(octets) => {
                self.text(code.name()).raw(b" ").number(*octets)
            }
            plain => self.text(plain.name()),
        }
    }
}

impl ResponseCode {
    /// The code's first word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::BadCharset => "BADCHARSET",
            Self::Capability(_) => "CAPABILITY",
            Self::Parse => "PARSE",
            Self::PermanentFlags(_) => "PERMANENTFLAGS",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unseen(_) => "UNSEEN",
            Self::AppendUid(..) => "APPENDUID",
            Self::CopyUid(..) => "COPYUID",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::NoModSeq => "NOMODSEQ",
            Self::Modified(_) => "MODIFIED",
            Self::Closed => "CLOSED",
            Self::MailboxId(_) => "MAILBOXID",
            Self::NoUpdate(_) => "NOUPDATE",
            Self::BadComparator => "BADCOMPARATOR",
            Self::NotSaved => "NOTSAVED",
            Self::Nonexistent => "NONEXISTENT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::Cannot => "CANNOT",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::Expired => "EXPIRED",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::NoPerm => "NOPERM",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::OverQuota => "OVERQUOTA",
            Self::TooBig => "TOOBIG",
            Self::Unavailable => "UNAVAILABLE",
            Self::ServerBug => "SERVERBUG",
            Self::ClientBug => "CLIENTBUG",
            Self::HasChildren => "HASCHILDREN",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::Corruption => "CORRUPTION",
            Self::UnknownCte => "UNKNOWN-CTE",
            Self::BadEvent(_) => "BADEVENT",
            Self::NotificationOverflow => "NOTIFICATIONOVERFLOW",
            Self::CompressionActive => "COMPRESSIONACTIVE",
            Self::InProgress(..) => "INPROGRESS",
            Self::UidRequired => "UIDREQUIRED",
            Self::MessageLimit(..) => "MESSAGELIMIT",
            Self::UseAttr => "USEATTR",
            Self::BadUrl(_) => "BADURL",
            Self::UrlMech => "URLMECH INTERNAL",
            Self::MetadataLongEntries(_) => "METADATA LONGENTRIES",
            Self::MetadataMaxSize(_) => "METADATA MAXSIZE",
            Self::MetadataTooMany => "METADATA TOOMANY",
        }
    }
}
