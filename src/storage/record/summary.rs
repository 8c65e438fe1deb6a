//! The summary inside a message document, under one-letter names: `s` subject, `f` from, `t` to,
//! `c` cc, `b` bcc, `m` Message-ID, `r` references, `n` how many of them are of References (absent:
//! all), `d` date, `p` preview, `a` has attachments, `e` encrypted. Empty ones are absent. An
//! address list is a flat array: name, address, name, address.

use crate::model::error::{Error, Result};
use crate::model::structure::{NamedAddress, Summary};
use bson::DateTime;
use bson::raw::{CStr, RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr};

/// The sub-document of a summary.
pub(crate) fn write_summary(summary: &Summary) -> RawDocumentBuf {
    let mut document = RawDocumentBuf::new();
    append_text(&mut document, cstr!("s"), &summary.subject);
    append_addresses(&mut document, cstr!("f"), &summary.from);
    append_addresses(&mut document, cstr!("t"), &summary.to);
    append_addresses(&mut document, cstr!("c"), &summary.cc);
    append_addresses(&mut document, cstr!("b"), &summary.bcc);
    append_text(&mut document, cstr!("m"), &summary.message_id);
    if !summary.references.is_empty() {
        let references: RawArrayBuf = summary.references.iter().map(String::as_str).collect();
        document.append(cstr!("r"), references);
        if summary.references_own != summary.references.len() {
            let own = i32::try_from(summary.references_own).unwrap_or_default();
            document.append(cstr!("n"), own);
        }
    }
    if let Some(date) = summary.date_ms {
        document.append(cstr!("d"), DateTime::from_millis(date));
    }
    append_text(&mut document, cstr!("p"), &summary.preview);
    if summary.has_attachments {
        document.append(cstr!("a"), true);
    }
    if summary.encrypted {
        document.append(cstr!("e"), true);
    }
    document
}

fn append_text(document: &mut RawDocumentBuf, key: &CStr, text: &str) {
    if !text.is_empty() {
        document.append(key, text);
    }
}

fn append_addresses(document: &mut RawDocumentBuf, key: &CStr, addresses: &[NamedAddress]) {
    if !addresses.is_empty() {
        let flat: RawArrayBuf =
            addresses.iter().flat_map(|each| [each.name.as_str(), each.address.as_str()]).collect();
        document.append(key, flat);
    }
}

/// Reads what [`write_summary`] wrote; unknown fields are passed over.
pub(crate) fn read_summary(document: &RawDocument) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut references_own = None;
    for element in document {
        let (key, value) = element.map_err(|error| Error::internal("a broken summary", error))?;
        let text = || value.as_str().unwrap_or_default().to_owned();
        match key.as_str() {
            "s" => summary.subject = text(),
            "f" => summary.from = read_addresses(value),
            "t" => summary.to = read_addresses(value),
            "c" => summary.cc = read_addresses(value),
            "b" => summary.bcc = read_addresses(value),
            "m" => summary.message_id = text(),
            "r" => summary.references = read_strings(value).map(str::to_owned).collect(),
            "n" => references_own = value.as_i32().and_then(|count| usize::try_from(count).ok()),
            "d" => summary.date_ms = value.as_datetime().map(DateTime::timestamp_millis),
            "p" => summary.preview = text(),
            "a" => summary.has_attachments = value.as_bool().unwrap_or_default(),
            "e" => summary.encrypted = value.as_bool().unwrap_or_default(),
            _ => {}
        }
    }
    let count = summary.references.len();
    summary.references_own = references_own.unwrap_or(count).min(count);
    Ok(summary)
}

fn read_strings<'a>(value: RawBsonRef<'a>) -> impl Iterator<Item = &'a str> {
    let elements = value.as_array().map(|array| array.into_iter());
    elements.into_iter().flatten().filter_map(|element| element.ok()?.as_str())
}

fn read_addresses(value: RawBsonRef<'_>) -> Vec<NamedAddress> {
    let mut addresses = Vec::new();
    let mut strings = read_strings(value);
    while let (Some(name), Some(address)) = (strings.next(), strings.next()) {
        addresses.push(NamedAddress { name: name.to_owned(), address: address.to_owned() });
    }
    addresses
}
