//! Profiles that set up Apple's mail programs: a property list, signed with the node's certificate.
//!
//! Keys are those of Apple's "Configuration Profile Reference", payload `com.apple.mail.managed`.

use crate::model::error::{Error, Result};
use crate::model::id::UserId;
use crate::net::signed;
use crate::net::tls::CertifiedKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// RFC 8314 §3.2.
const IMAP_PORT: u16 = 993;
/// RFC 8314 §3.2.
const POP3_PORT: u16 = 995;
/// RFC 8314 §3.3.
const SUBMISSION_PORT: u16 = 465;

/// Makes profiles.
#[derive(Debug)]
pub struct Profiles {
    /// The name programs connect to.
    pub host: String,
    /// What profiles are signed with.
    pub pair: CertifiedKey,
}

/// Whom a profile is for.
#[derive(Debug)]
pub struct Account<'a> {
    /// The user.
    pub user: UserId,
    /// His name.
    pub name: &'a str,
    /// His address, which is his login too.
    pub address: &'a str,
    /// The password of the program.
    pub password: &'a str,
    /// What the password is for.
    pub description: &'a str,
    /// By IMAP; otherwise by POP3.
    pub by_imap: bool,
}

impl Profiles {
    /// Whether the node's key signs profiles at all.
    pub fn is_possible(&self) -> bool {
        signed::signs(&self.pair)
    }

    /// The profile as base64 of signed data.
    ///
    /// # Errors
    /// `Internal` when it cannot be signed.
    pub fn make(&self, account: &Account<'_>) -> Result<String> {
        let list = self.list(account);
        let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
            <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
            \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n"
            .to_owned();
        write(&list, &mut text);
        text.push_str("</plist>\n");
        let signed = signed::sign(text.as_bytes(), &self.pair);
        let signed =
            signed.map_err(|reason| Error::internal("a profile", std::io::Error::other(reason)))?;
        Ok(STANDARD.encode(signed))
    }

    fn list(&self, account: &Account<'_>) -> Value {
        let identifier = format!("eider.{}.{}", self.host, account.user);
        let (kind, port) = match account.by_imap {
            true => ("EmailTypeIMAP", IMAP_PORT),
            false => ("EmailTypePOP", POP3_PORT),
        };
        let mail = json!({
            "PayloadType": "com.apple.mail.managed",
            "PayloadVersion": 1,
            "PayloadIdentifier": format!("{identifier}.mail"),
            "PayloadUUID": uuid(),
            "PayloadDisplayName": account.address,
            "EmailAccountDescription": account.address,
            "EmailAccountName": account.name,
            "EmailAccountType": kind,
            "EmailAddress": account.address,
            "IncomingMailServerAuthentication": "EmailAuthPassword",
            "IncomingMailServerHostName": self.host,
            "IncomingMailServerPortNumber": port,
            "IncomingMailServerUseSSL": true,
            "IncomingMailServerUsername": account.address,
            "IncomingPassword": account.password,
            "OutgoingPasswordSameAsIncomingPassword": true,
            "OutgoingMailServerAuthentication": "EmailAuthPassword",
            "OutgoingMailServerHostName": self.host,
            "OutgoingMailServerPortNumber": SUBMISSION_PORT,
            "OutgoingMailServerUseSSL": true,
            "OutgoingMailServerUsername": account.address,
        });
        json!({
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            "PayloadIdentifier": identifier,
            "PayloadUUID": uuid(),
            "PayloadDisplayName": account.description,
            "PayloadOrganization": self.host,
            "PayloadContent": [mail],
        })
    }
}

/// A value as an element of a property list.
// the depth is that of `Profiles::list`
fn write(value: &Value, xml: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => xml.push_str(if *flag { "<true/>\n" } else { "<false/>\n" }),
        Value::Number(number) => {
            // writing to a String does not fail
            let _infallible = writeln!(xml, "<integer>{number}</integer>");
        }
        Value::String(text) => element("string", text, xml),
        Value::Array(items) => {
            xml.push_str("<array>\n");
            items.iter().for_each(|item| write(item, xml));
            xml.push_str("</array>\n");
        }
        Value::Object(fields) => {
            xml.push_str("<dict>\n");
            for (name, value) in fields {
                element("key", name, xml);
                write(value, xml);
            }
            xml.push_str("</dict>\n");
        }
    }
}

fn element(name: &str, text: &str, xml: &mut String) {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // writing to a String does not fail
    let _infallible = writeln!(xml, "<{name}>{text}</{name}>");
}

/// A random one (RFC 9562 §5.4).
fn uuid() -> String {
    let (a, b, c, d) = rand::random::<(u32, u16, u16, u64)>();
    let (c, d) = (c & 0xfff | 0x4000, d & (u64::MAX >> 2) | 1 << 63);
    let (high, low) = (d >> 48, d & 0xffff_ffff_ffff);
    format!("{a:08X}-{b:04X}-{c:04X}-{high:04X}-{low:012X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_element() {
        let mut xml = String::new();
        write(&json!({ "a": "<b>&\u{0}", "n": 1, "t": [true] }), &mut xml);
        let expected = "<dict>\n<key>a</key>\n<string>&lt;b&gt;&amp;</string>\n\
            <key>n</key>\n<integer>1</integer>\n<key>t</key>\n<array>\n<true/>\n</array>\n</dict>\n";
        assert_eq!(xml, expected);
    }

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert!("89AB".contains(&uuid[19..20]), "{uuid}");
    }
}
