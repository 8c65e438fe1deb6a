//! The fields of a message header as values: addresses with groups, content type with parameters,
//! decoded text.
//!
//! RFC 5322 §3.4 and §3.6, RFC 2045 §5.1, RFC 2369, RFC 2919. Reads any octets; what is not
//! understood is shown as text.

use super::text::decode_header_value;
use crate::model::structure::NamedAddress;
use mail_parser::{Addr, Address, HeaderName, HeaderValue, MessageParser};

/// Fields of one header that are read.
pub const FIELDS_MAX: usize = 2000;
/// Octets of one field's value that are shown.
pub const VALUE_OCTETS_MAX: usize = 100 * 1024;

/// An entry of an address field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recipient {
    /// One address.
    One(NamedAddress),
    /// A named group (RFC 5322 §3.4).
    Group {
        /// Its display name.
        name: String,
        /// Its members, possibly none.
        members: Vec<NamedAddress>,
    },
}

/// A Content-Type.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ContentType {
    /// Lowercase `type/subtype`.
    pub value: String,
    /// Parameters with lowercase names.
    pub params: Vec<(String, String)>,
}

/// A field's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FieldValue {
    /// Decoded text.
    Text(String),
    /// Addresses.
    Recipients(Vec<Recipient>),
    /// The Content-Type.
    ContentType(ContentType),
}

/// The fields of a header in their order.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Fields {
    fields: Vec<(String, FieldValue)>,
}

impl Fields {
    /// Reads a header block, with or without the empty line that ends it.
    pub fn read(header: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse_headers(header) else {
            return Self::default();
        };
        let mut fields = Vec::new();
        for field in message.headers().iter().take(FIELDS_MAX) {
            let raw = raw_value(header, field.offset_start(), field.offset_end());
            let value = match field.value() {
                HeaderValue::Address(address) if is_address_field(&field.name) => {
                    FieldValue::Recipients(recipients(address))
                }
                HeaderValue::ContentType(value) if field.name == HeaderName::ContentType => {
                    FieldValue::ContentType(content_type(value))
                }
                _ => FieldValue::Text(decode_header_value(raw).trim().to_owned()),
            };
            fields.push((field.name().to_ascii_lowercase(), value));
        }
        Self { fields }
    }

    /// All fields: lowercase name, value.
    pub fn iter(&self) -> impl Iterator<Item = &(String, FieldValue)> {
        self.fields.iter()
    }

    /// The first field of a lowercase name.
    pub fn first(&self, name: &str) -> Option<&FieldValue> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The first field of a name as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.first(name)? {
            FieldValue::Text(text) => Some(text),
            FieldValue::Recipients(_) | FieldValue::ContentType(_) => None,
        }
    }

    /// All addresses of a field; `None` when there is no such field.
    pub fn recipients(&self, name: &str) -> Option<Vec<Recipient>> {
        let mut found = None;
        for (known, value) in &self.fields {
            if known == name
                && let FieldValue::Recipients(recipients) = value
            {
                found.get_or_insert_with(Vec::new).extend(recipients.iter().cloned());
            }
        }
        found
    }

    /// The message ids `<…>` of a field.
    pub fn message_ids(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split_whitespace().take(100).map(ToOwned::to_owned).collect()
    }
}

fn raw_value(header: &[u8], start: u32, end: u32) -> &[u8] {
    let (start, end) = (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0));
    header.get(start..end.min(start.saturating_add(VALUE_OCTETS_MAX))).unwrap_or_default()
}

fn is_address_field(name: &HeaderName<'_>) -> bool {
    matches!(
        name.as_str().to_ascii_lowercase().as_str(),
        "from" | "sender" | "reply-to" | "to" | "cc" | "bcc"
    )
}

fn recipients(address: &Address<'_>) -> Vec<Recipient> {
    match address {
        Address::List(list) => list.iter().filter_map(named).map(Recipient::One).collect(),
        Address::Group(groups) => {
            let mut all = Vec::new();
            for group in groups {
                let members: Vec<NamedAddress> = group.addresses.iter().filter_map(named).collect();
                match &group.name {
                    Some(name) => {
                        all.push(Recipient::Group { name: name.clone().into_owned(), members });
                    }
                    // addresses beside a group
                    None => all.extend(members.into_iter().map(Recipient::One)),
                }
            }
            all
        }
    }
}

fn named(addr: &Addr<'_>) -> Option<NamedAddress> {
    let name = addr.name.as_deref().unwrap_or_default().to_owned();
    let address = addr.address.as_deref().unwrap_or_default();
    if name.is_empty() && address.is_empty() {
        return None;
    }
    Some(NamedAddress { name, address: unicode_domain(address) })
}

/// The address with its domain in Unicode (RFC 5891 §4).
pub fn unicode_domain(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, domain)) if domain.to_ascii_lowercase().contains("xn--") => {
            let (domain, result) = idna::domain_to_unicode(domain);
            if result.is_ok() { format!("{local}@{domain}") } else { address.to_owned() }
        }
        _ => address.to_owned(),
    }
}

fn content_type(value: &mail_parser::ContentType<'_>) -> ContentType {
    let main = value.c_type.to_ascii_lowercase();
    let value_text = match &value.c_subtype {
        Some(subtype) => format!("{main}/{}", subtype.to_ascii_lowercase()),
        None => main,
    };
    let params = value.attributes.iter().flatten().take(100);
    ContentType {
        value: value_text,
        params: params
            .map(|param| (param.name.to_ascii_lowercase(), param.value.clone().into_owned()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, address: &str) -> Recipient {
        Recipient::One(NamedAddress { name: name.into(), address: address.into() })
    }

    #[test]
    fn addresses_groups_and_content_type_are_values() {
        let fields = Fields::read(
            b"From: =?utf-8?Q?J=C3=BCrgen?= <j@xn--bcher-kva.example>\r\n\
              To: Team: a@example.com, \"B, b\" <b@example.com>;, c@example.com\r\n\
              Subject: Hello\r\nContent-Type: Text/Plain; Charset=UTF-8\r\n\
              References: <a@b>\r\n <c@d>\r\n\r\n",
        );
        assert_eq!(fields.recipients("from"), Some(vec![one("Jürgen", "j@bücher.example")]));
        let to = fields.recipients("to").unwrap();
        let Some(Recipient::Group { name, members }) = to.first() else { panic!("{to:?}") };
        assert_eq!((name.as_str(), members.len()), ("Team", 2));
        assert_eq!(to.get(1), Some(&one("", "c@example.com")));
        assert_eq!(fields.recipients("cc"), None);
        let Some(FieldValue::ContentType(kind)) = fields.first("content-type") else { panic!() };
        assert_eq!(kind.value, "text/plain");
        assert_eq!(kind.params, [("charset".to_owned(), "UTF-8".to_owned())]);
        assert_eq!(fields.text("subject"), Some("Hello"));
        assert_eq!(fields.message_ids("references"), ["<a@b>", "<c@d>"]);
    }

    #[test]
    fn any_octets_are_read() {
        assert_eq!(Fields::read(b""), Fields::default());
        Fields::read(b"\xff\xfe: \x00\r\n :\r\n\r\n");
        Fields::read(b"To: <<<<>>>>;:;:;,,,\r\nContent-Type: ;;;=\r\n");
    }
}
