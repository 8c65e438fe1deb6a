//! ENVELOPE in wire form (RFC 3501 §7.4.2, RFC 9051 §7.5.2).

use super::address_list::{self, Address, Item};
use super::header::{fields, unfold};
use super::wire::nstring;

/// The first field of each name that an envelope or a summary shows, as raw values.
#[derive(Default)]
pub(super) struct Named<'a> {
    pub(super) date: Option<&'a [u8]>,
    pub(super) subject: Option<&'a [u8]>,
    pub(super) from: Option<&'a [u8]>,
    pub(super) sender: Option<&'a [u8]>,
    pub(super) reply_to: Option<&'a [u8]>,
    pub(super) to: Option<&'a [u8]>,
    pub(super) cc: Option<&'a [u8]>,
    pub(super) bcc: Option<&'a [u8]>,
    pub(super) in_reply_to: Option<&'a [u8]>,
    pub(super) message_id: Option<&'a [u8]>,
    pub(super) references: Option<&'a [u8]>,
}

impl<'a> Named<'a> {
    pub(super) fn read(header: &'a [u8]) -> Self {
        let mut named = Self::default();
        for field in fields(header) {
            let slot = match field.name.to_ascii_lowercase().as_slice() {
                b"date" => &mut named.date,
                b"subject" => &mut named.subject,
                b"from" => &mut named.from,
                b"sender" => &mut named.sender,
                b"reply-to" => &mut named.reply_to,
                b"to" => &mut named.to,
                b"cc" => &mut named.cc,
                b"bcc" => &mut named.bcc,
                b"in-reply-to" => &mut named.in_reply_to,
                b"message-id" => &mut named.message_id,
                b"references" => &mut named.references,
                _ => continue,
            };
            slot.get_or_insert(field.value);
        }
        named
    }
}

/// Writes the envelope of a message header.
pub(super) fn write(named: &Named<'_>, out: &mut Vec<u8>) {
    out.push(b'(');
    text(named.date, out);
    out.push(b' ');
    text(named.subject, out);
    let from = named.from.map(list).unwrap_or_default();
    out.push(b' ');
    addresses(&from, out);
    // RFC 9051 §7.5.2: Sender and Reply-To default to From.
    for field in [named.sender, named.reply_to] {
        let own = field.map(list).filter(|own| !own.is_empty());
        out.push(b' ');
        addresses(own.as_ref().unwrap_or(&from), out);
    }
    for field in [named.to, named.cc, named.bcc] {
        out.push(b' ');
        addresses(&field.map(list).unwrap_or_default(), out);
    }
    for field in [named.in_reply_to, named.message_id] {
        out.push(b' ');
        text(field, out);
    }
    out.push(b')');
}

/// RFC 9051 §7.5.2: an absent field is NIL, an empty one is the empty string.
fn text(value: Option<&[u8]>, out: &mut Vec<u8>) {
    nstring(value.map(unfold).as_deref(), out);
}

fn list(value: &[u8]) -> Vec<Item> {
    address_list::parse(value)
}

fn addresses(items: &[Item], out: &mut Vec<u8>) {
    if items.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for item in items {
        match item {
            // RFC 9051 §7.5.2: a NIL host marks the beginning and the end of a group.
            Item::GroupStart(name) => {
                out.extend_from_slice(b"(NIL NIL ");
                nstring(Some(name), out);
                out.extend_from_slice(b" NIL)");
            }
            Item::GroupEnd => out.extend_from_slice(b"(NIL NIL NIL NIL)"),
            Item::Address(address) => one(address, out),
        }
    }
    out.push(b')');
}

fn one(address: &Address, out: &mut Vec<u8>) {
    let filled = |octets: &[u8]| (!octets.is_empty()).then(|| octets.to_vec());
    out.push(b'(');
    nstring(filled(&address.name).as_deref(), out);
    out.push(b' ');
    nstring(filled(&address.route).as_deref(), out);
    out.push(b' ');
    // Never NIL: that would be the syntax of a group.
    nstring(Some(&address.mailbox), out);
    out.push(b' ');
    nstring(Some(&address.host), out);
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(header: &str) -> String {
        let mut out = Vec::new();
        write(&Named::read(header.as_bytes()), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn envelope_of_rfc3501_example() {
        // RFC 3501 §8
        let header = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n\
            From: Terry Gray <gray@cac.washington.edu>\r\n\
            Subject: IMAP4rev1 WG mtg summary and minutes\r\n\
            To: imap@cac.washington.edu\r\n\
            cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
            Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n";
        assert_eq!(
            wire(header),
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")\
             (\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) \
             NIL NIL \"<B27397-0100000@cac.washington.edu>\")"
        );
    }

    #[test]
    fn absent_is_nil_and_empty_is_empty() {
        assert_eq!(wire("\r\n"), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
        assert_eq!(
            wire("Subject:\r\nDate: \r\nTo: \r\nFrom: a@b\r\nSender: \r\n"),
            "(\"\" \"\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) \
             NIL NIL NIL NIL NIL)"
        );
        assert_eq!(
            wire("To: g: a@b;\r\nTo: second@x\r\n"),
            "(NIL NIL NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) \
             NIL NIL NIL NIL)"
        );
    }
}
