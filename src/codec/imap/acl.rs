//! The commands of ACL and their answers (RFC 4314 §3, §7).

use super::error::ErrorKind;
use super::lexer::{Lexer, Parse};
use super::response::Writer;
use crate::model::rights::{Rights, RightsChange};

/// A command of ACL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Acl {
    /// SETACL
    Set {
        /// The mailbox.
        mailbox: String,
        /// Whose rights, as written.
        identifier: String,
        /// What becomes of them.
        change: RightsChange,
    },
    /// DELETEACL
    Delete {
        /// The mailbox.
        mailbox: String,
        /// Whose rights, as written.
        identifier: String,
    },
    /// GETACL
    Get(String),
    /// LISTRIGHTS
    ListRights {
        /// The mailbox.
        mailbox: String,
        /// Whose rights, as written.
        identifier: String,
    },
    /// MYRIGHTS
    MyRights(String),
}

impl Acl {
    /// The mailbox.
    pub fn mailbox(&self) -> &str {
        match self {
            Self::Set { mailbox, .. }
            | Self::Delete { mailbox, .. }
            | Self::Get(mailbox)
            | Self::ListRights { mailbox, .. }
            | Self::MyRights(mailbox) => mailbox,
        }
    }

    /// The command's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Set { .. } => "SETACL",
            Self::Delete { .. } => "DELETEACL",
            Self::Get(_) => "GETACL",
            Self::ListRights { .. } => "LISTRIGHTS",
            Self::MyRights(_) => "MYRIGHTS",
        }
    }
}

/// Reads the arguments of the named command:
/// ```text
/// setacl     = "SETACL" SP mailbox SP identifier SP mod-rights
/// deleteacl  = "DELETEACL" SP mailbox SP identifier
/// getacl     = "GETACL" SP mailbox
/// listrights = "LISTRIGHTS" SP mailbox SP identifier
/// myrights   = "MYRIGHTS" SP mailbox
/// ```
pub(super) fn read(lexer: &mut Lexer<'_>, name: &str) -> Parse<Acl> {
    lexer.space()?;
    let mailbox = lexer.mailbox()?;
    Ok(match name {
        "GETACL" => Acl::Get(mailbox),
        "MYRIGHTS" => Acl::MyRights(mailbox),
        name => {
            lexer.space()?;
            let identifier = lexer.astring_text()?;
            match name {
                "DELETEACL" => Acl::Delete { mailbox, identifier },
                "LISTRIGHTS" => Acl::ListRights { mailbox, identifier },
                _ => {
                    lexer.space()?;
                    Acl::Set { mailbox, identifier, change: read_change(lexer)? }
                }
            }
        }
    })
}

/// `mod-rights = astring ; +rights to add, -rights to remove, rights to replace`
fn read_change(lexer: &mut Lexer<'_>) -> Parse<RightsChange> {
    let text = lexer.astring_text()?;
    // RFC 4314 §3.1: an unknown right is BAD, never passed over
    let rights =
        |letters: &str| Rights::from_letters(letters).ok_or(ErrorKind::Syntax("known rights"));
    Ok(match text.split_at_checked(1) {
        Some(("+", letters)) => RightsChange::Add(rights(letters)?),
        Some(("-", letters)) => RightsChange::Remove(rights(letters)?),
        _ => RightsChange::Replace(rights(&text)?),
    })
}

impl Writer<'_> {
    /// `acl-data = "ACL" SP mailbox *(SP identifier SP rights)`
    pub fn acl(&mut self, mailbox: &str, entries: &[(String, Rights)]) -> &mut Self {
        self.raw(b"* ACL ").mailbox(mailbox);
        for (identifier, rights) in entries {
            self.raw(b" ").astring(identifier.as_bytes());
            self.raw(b" ").astring(rights.with_obsolete().as_bytes());
        }
        self.end_line()
    }

    /// `myrights-data = "MYRIGHTS" SP mailbox SP rights`
    pub fn my_rights(&mut self, mailbox: &str, rights: Rights) -> &mut Self {
        self.raw(b"* MYRIGHTS ").mailbox(mailbox);
        self.raw(b" ").astring(rights.with_obsolete().as_bytes()).end_line()
    }

    /// `listrights-data = "LISTRIGHTS" SP mailbox SP identifier SP rights *(SP rights)`: those that
    /// are always granted, then each that may be; `c` and `d` among them (RFC 4314 §2.1.1).
    pub fn list_rights(&mut self, mailbox: &str, identifier: &str, always: Rights) -> &mut Self {
        self.raw(b"* LISTRIGHTS ").mailbox(mailbox).raw(b" ").astring(identifier.as_bytes());
        self.raw(b" ").astring(always.with_obsolete().as_bytes());
        if always != Rights::ALL {
            self.raw(b" l r s w i p k x t e c d a");
        }
        self.end_line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::imap::command::{Command, parse};

    fn read(text: &str) -> Option<Acl> {
        match parse(&bytes::Bytes::from(format!("a {text}")), false).ok()?.command {
            Command::Acl(acl) => Some(acl),
            _ => None,
        }
    }

    #[test]
    fn commands_of_rfc_4314() {
        let rights = |letters| Rights::from_letters(letters).unwrap();
        let set =
            |change| Acl::Set { mailbox: "INBOX/Drafts".into(), identifier: "John".into(), change };
        for (text, change) in [
            ("lrQswicda", None),
            ("lrswicda", Some(RightsChange::Replace(rights("lrswikxtea")))),
            ("+cd", Some(RightsChange::Add(rights("kxte")))),
            ("-w", Some(RightsChange::Remove(rights("w")))),
            ("\"\"", Some(RightsChange::Replace(Rights::NONE))),
        ] {
            assert_eq!(read(&format!("setacl INBOX/Drafts John {text}")), change.map(set));
        }
        assert_eq!(read("GETACL INBOX"), Some(Acl::Get("INBOX".into())));
        assert_eq!(read("MYRIGHTS INBOX"), Some(Acl::MyRights("INBOX".into())));
        let (mailbox, identifier) = ("a b".to_owned(), "-fred".to_owned());
        let delete = Acl::Delete { mailbox: mailbox.clone(), identifier: identifier.clone() };
        assert_eq!(read("DELETEACL \"a b\" -fred"), Some(delete));
        assert_eq!(read("LISTRIGHTS \"a b\" -fred"), Some(Acl::ListRights { mailbox, identifier }));
        for bad in ["SETACL INBOX", "SETACL INBOX a", "GETACL", "MYRIGHTS", "DELETEACL x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn answers_of_rfc_4314() {
        let mut out = Vec::new();
        let fred = Rights::from_letters("rwipslxetad").unwrap();
        let entries = [("Fred".to_owned(), fred), ("-x".to_owned(), Rights::READ)];
        Writer::new(&mut out, false)
            .acl("INBOX", &entries)
            .my_rights("INBOX", Rights::LOOKUP)
            .list_rights("INBOX", "x", Rights::NONE)
            .list_rights("INBOX", "me", Rights::ALL);
        let expected = "* ACL \"INBOX\" Fred lrswipxteacd -x r\r\n\
            * MYRIGHTS \"INBOX\" l\r\n\
            * LISTRIGHTS \"INBOX\" x \"\" l r s w i p k x t e c d a\r\n\
            * LISTRIGHTS \"INBOX\" me lrswipkxteacd\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
