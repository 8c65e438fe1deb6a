//! Commands as a client writes them (RFC 5321 §4.1.1), with the parameters the server understands.

use super::extensions::Extensions;
use crate::model::dsn::{MessageOptions, Notify, RecipientDsn, Return};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What MAIL says of a message.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'a> {
    /// Reverse-path, empty for the null path.
    pub sender: &'a str,
    /// Octets of the message.
    pub octets: u64,
    /// It has octets above 127.
    pub is_eight_bit: bool,
    /// It has lines that only BINARYMIME allows.
    pub is_binary: bool,
    /// An address or the header is in UTF-8.
    pub is_utf8: bool,
    /// What its sender asked for.
    pub options: &'a MessageOptions,
}

/// Appends MAIL (RFC 5321 §4.1.1.2).
pub fn mail(extensions: &Extensions, mail: &Mail<'_>, output: &mut Vec<u8>) {
    let sender = if mail.is_utf8 { mail.sender.to_owned() } else { ascii_form(mail.sender) };
    let mut line = format!("MAIL FROM:<{sender}>");
    if extensions.has_size {
        line.push_str(&format!(" SIZE={}", mail.octets));
    }
    if extensions.has_binary && mail.is_binary {
        line.push_str(" BODY=BINARYMIME");
    } else if extensions.has_eight_bit && mail.is_eight_bit {
        line.push_str(" BODY=8BITMIME");
    }
    if extensions.has_utf8 && mail.is_utf8 {
        line.push_str(" SMTPUTF8");
    }
    if extensions.has_requiretls && mail.options.requires_tls {
        line.push_str(" REQUIRETLS");
    }
    if extensions.has_dsn {
        match mail.options.ret {
            Some(Return::Full) => line.push_str(" RET=FULL"),
            Some(Return::Headers) => line.push_str(" RET=HDRS"),
            None => {}
        }
        if let Some(id) = &mail.options.envelope_id {
            line.push_str(&format!(" ENVID={}", xtext(id)));
        }
    }
    output.extend_from_slice(line.as_bytes());
    output.extend_from_slice(b"\r\n");
}

/// Appends RCPT (RFC 5321 §4.1.1.3).
pub fn rcpt(
    extensions: &Extensions,
    is_utf8: bool,
    recipient: &str,
    dsn: &RecipientDsn,
    output: &mut Vec<u8>,
) {
    let recipient = if is_utf8 { recipient.to_owned() } else { ascii_form(recipient) };
    let mut line = format!("RCPT TO:<{recipient}>");
    if extensions.has_dsn {
        if let Some(notify) = dsn.notify {
            line.push_str(&format!(" NOTIFY={}", notify_words(notify)));
        }
        if let Some((kind, address)) = &dsn.original {
            line.push_str(&format!(" ORCPT={kind};{}", xtext(address)));
        }
    }
    output.extend_from_slice(line.as_bytes());
    output.extend_from_slice(b"\r\n");
}

/// RFC 3461 §4.1
fn notify_words(notify: Notify) -> String {
    let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
    let said: Vec<&str> = words.iter().filter(|(is_said, _)| *is_said).map(|word| word.1).collect();
    if said.is_empty() { "NEVER".to_owned() } else { said.join(",") }
}

/// `xtext` (RFC 3461 §4); octets above 127 are escaped too.
pub fn xtext(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => encoded.push_str(&format!("+{octet:02X}")),
            b'!'..=b'~' => encoded.push(char::from(octet)),
            _ => encoded.push_str(&format!("+{octet:02X}")),
        }
    }
    encoded
}

/// An address with its domain in ASCII (RFC 5891 §4.4): what servers without SMTPUTF8 understand.
pub fn ascii_form(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else { return address.to_owned() };
    if domain.is_ascii() {
        return address.to_owned();
    }
    match idna::domain_to_ascii(domain) {
        Ok(ascii) => format!("{local}@{ascii}"),
        Err(_) => address.to_owned(),
    }
}

/// AUTH PLAIN with its initial response (RFC 4954 §4, RFC 4616).
pub fn auth_plain(user: &str, password: &str) -> String {
    format!("AUTH PLAIN {}\r\n", STANDARD.encode(format!("\0{user}\0{password}")))
}

/// AUTH LOGIN: three lines.
pub fn auth_login(user: &str, password: &str) -> Vec<String> {
    let line = |text: &str| format!("{}\r\n", STANDARD.encode(text));
    vec!["AUTH LOGIN\r\n".to_owned(), line(user), line(password)]
}

/// Whether an address can stand between angle brackets in a command.
pub fn is_sendable(address: &str) -> bool {
    address.len() <= 500 && !address.contains(|c: char| c.is_control() || c == '<' || c == '>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Extensions {
        Extensions {
            has_pipelining: true,
            has_eight_bit: true,
            has_utf8: true,
            has_dsn: true,
            has_requiretls: true,
            has_size: true,
            ..Extensions::default()
        }
    }

    #[test]
    fn parameters_are_said_to_servers_that_know_them() {
        let options = MessageOptions {
            ret: Some(Return::Headers),
            envelope_id: Some("a b+c".to_owned()),
            requires_tls: true,
            waives_tls: false,
            zone: None,
            is_utf8: true,
            is_binary: false,
        };
        let about = Mail {
            sender: "é@bücher.example",
            octets: 7,
            is_eight_bit: true,
            is_binary: false,
            is_utf8: true,
            options: &options,
        };
        let said = |extensions: &Extensions, about: &Mail<'_>| {
            let mut out = Vec::new();
            mail(extensions, about, &mut out);
            String::from_utf8(out).unwrap()
        };
        let full = "MAIL FROM:<é@bücher.example> SIZE=7 BODY=8BITMIME SMTPUTF8 REQUIRETLS \
            RET=HDRS ENVID=a+20b+2Bc\r\n";
        assert_eq!(said(&all(), &about), full);
        let plain = Mail { sender: "a@bücher.example", is_utf8: false, ..about };
        let bare = "MAIL FROM:<a@xn--bcher-kva.example>\r\n";
        assert_eq!(said(&Extensions::default(), &plain), bare);
        let null = Mail { sender: "", ..plain };
        assert_eq!(said(&Extensions::default(), &null), "MAIL FROM:<>\r\n");
    }

    #[test]
    fn recipients_carry_their_wishes() {
        let dsn = RecipientDsn {
            notify: Some(Notify { success: true, failure: true, delay: false }),
            original: Some(("rfc822".to_owned(), "x+y@b.example".to_owned())),
        };
        let mut out = Vec::new();
        rcpt(&all(), false, "a@b.example", &dsn, &mut out);
        let never = RecipientDsn { notify: Some(Notify::default()), original: None };
        rcpt(&all(), false, "c@b.example", &never, &mut out);
        rcpt(&Extensions::default(), false, "d@b.example", &dsn, &mut out);
        let expected = "RCPT TO:<a@b.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x+2By@b.example\
            \r\nRCPT TO:<c@b.example> NOTIFY=NEVER\r\nRCPT TO:<d@b.example>\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(!is_sendable("a>\r\nDATA@b.example") && is_sendable("\"a b\"@c.example"));
    }
}
