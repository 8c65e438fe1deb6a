//! GETQUOTA, GETQUOTAROOT, SETQUOTA and their answers (RFC 9208 §4, §7; RFC 2087).

use super::lexer::{Lexer, Parse};
use super::response::Writer;

/// A command of QUOTA.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Quota {
    /// GETQUOTA: a quota root.
    Get(String),
    /// GETQUOTAROOT: a mailbox.
    GetRoot(String),
    /// SETQUOTA: a quota root; resources and limits.
    Set(String, Vec<(String, u64)>),
}

impl Quota {
    /// The command's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Get(_) => "GETQUOTA",
            Self::GetRoot(_) => "GETQUOTAROOT",
            Self::Set(..) => "SETQUOTA",
        }
    }
}

/// Reads the arguments of the named command:
/// ```text
/// getquota     = "GETQUOTA" SP quota-root-name
/// getquotaroot = "GETQUOTAROOT" SP mailbox
/// setquota     = "SETQUOTA" SP quota-root-name SP setquota-list
/// setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")"
/// setquota-resource = resource-name SP resource-limit
/// ```
pub(super) fn read(lexer: &mut Lexer<'_>, name: &str) -> Parse<Quota> {
    lexer.space()?;
    Ok(match name {
        "GETQUOTA" => Quota::Get(lexer.astring_text()?),
        "GETQUOTAROOT" => Quota::GetRoot(lexer.mailbox()?),
        _ => {
            let root = lexer.astring_text()?;
            lexer.space()?;
            let limits = lexer.list(|lexer| {
                let resource = lexer.word("a resource")?;
                lexer.space()?;
                Ok((resource, lexer.number64()?))
            })?;
            Quota::Set(root, limits)
        }
    })
}

/// What is used of a resource, and how much of it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resource {
    /// `STORAGE` (in 1024 octets), `MESSAGE`, `MAILBOX`.
    pub name: &'static str,
    /// Used.
    pub used: u64,
    /// Allowed.
    pub limit: u64,
}

impl Writer<'_> {
    /// `quota-response = "QUOTA" SP quota-root-name SP quota-list`, where each resource has its
    /// usage and limit
    pub fn quota(&mut self, root: &str, resources: &[Resource]) -> &mut Self {
        self.raw(b"* QUOTA ").string(root.as_bytes()).raw(b" (");
        for (index, resource) in resources.iter().enumerate() {
            self.raw(if index > 0 { b" " } else { b"" }).text(resource.name).raw(b" ");
            self.number(resource.used).raw(b" ").number(resource.limit);
        }
        self.raw(b")").end_line()
    }

    /// `quotaroot-response = "QUOTAROOT" SP mailbox *(SP quota-root-name)`
    pub fn quota_root(&mut self, mailbox: &str, root: &str) -> &mut Self {
        self.raw(b"* QUOTAROOT ").mailbox(mailbox).raw(b" ").string(root.as_bytes()).end_line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::imap::command::{Command, parse};

    fn read(text: &str) -> Option<Quota> {
        match parse(&bytes::Bytes::from(format!("a {text}")), false).ok()?.command {
            Command::Quota(quota) => Some(quota),
            _ => None,
        }
    }

    #[test]
    fn commands_and_answers_of_rfc_9208() {
        assert_eq!(read("GETQUOTA \"\""), Some(Quota::Get(String::new())));
        assert_eq!(read("GETQUOTA !partition/sda4"), Some(Quota::Get("!partition/sda4".into())));
        assert_eq!(read("GETQUOTAROOT INBOX"), Some(Quota::GetRoot("INBOX".into())));
        let set = Quota::Set(String::new(), vec![("STORAGE".into(), 512)]);
        assert_eq!(read("SETQUOTA \"\" (storage 512)"), Some(set));
        assert_eq!(read("SETQUOTA \"\" ()"), Some(Quota::Set(String::new(), Vec::new())));
        for bad in ["GETQUOTA", "SETQUOTA \"\"", "SETQUOTA \"\" (STORAGE)", "GETQUOTAROOT"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        let mut out = Vec::new();
        let storage = Resource { name: "STORAGE", used: 10, limit: 512 };
        let message = Resource { name: "MESSAGE", used: 1, limit: 2 };
        let mut writer = Writer::new(&mut out, false);
        writer.quota_root("INBOX", "").quota("", &[storage, message]);
        let expected =
            "* QUOTAROOT \"INBOX\" \"\"\r\n* QUOTA \"\" (STORAGE 10 512 MESSAGE 1 2)\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
