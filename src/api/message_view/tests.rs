//! Views have the shapes of the reference.

use super::*;
use crate::model::id::{ContentHash, MailboxId, MessageId, ThreadId};
use crate::model::message::Row;
use crate::model::structure::{ByteRange, Summary};

fn message() -> Message {
    // two of References, and what In-Reply-To adds
    let references = ["<a@x>", "<b@x>", "<c@x>"].map(str::to_owned).to_vec();
    Message {
        id: MessageId::from_octets([1; 12]),
        mailbox: MailboxId::from_octets([2; 12]),
        row: Row {
            uid: 7,
            mod_seq: 9,
            flags: FlagSet::from_names(["\\Answered", "$forwarded"]),
            internal_date: 1_577_836_800_000,
            saved_date: 0,
            octets: 300,
        },
        content: ContentHash([0; 32]),
        thread: ThreadId::from_octets([3; 12]),
        prefix: b"Return-Path: <s@x>\r\nDelivered-To: R@Example.com\r\n".to_vec(),
        envelope: Vec::new(),
        body: Vec::new(),
        bodystructure: Vec::new(),
        tree: Vec::new(),
        summary: Summary {
            subject: "Hi".into(),
            references,
            references_own: 2,
            ..Summary::default()
        },
        meta: None,
        info: None,
        expires_ms: None,
    }
}

fn root() -> Part {
    Part {
        media_type: "application".into(),
        media_subtype: "pdf".into(),
        encoding: "base64".into(),
        body: ByteRange { start: 10, end: 1500 },
        ..Part::default()
    }
}

#[test]
fn items_have_the_fields_of_the_reference() {
    let value = json!(item(&message(), &root()));
    assert_eq!(value["id"], 7);
    assert_eq!(value["from"], json!({"name": "", "address": ""}));
    // without a Date of its own
    assert_eq!(value["date"], value["idate"]);
    assert_eq!(value["idate"], "2020-01-01T00:00:00.000Z");
    assert_eq!((&value["answered"], &value["forwarded"]), (&json!(false), &json!(true)));
    assert_eq!(value["references"], json!(["<a@x>", "<b@x>"]));
    assert_eq!(value["contentType"], json!({"value": "application/pdf"}));
    for absent in ["intro", "encrypted", "metaData", "headers", "threadMessageCount"] {
        assert!(value.get(absent).is_none(), "{absent}");
    }
    let attachment = &value["attachmentsList"][0];
    assert_eq!(attachment["id"], "ATT00001");
    assert_eq!(attachment["disposition"], false);
    assert_eq!((&attachment["sizeKb"], &attachment["size"]), (&json!(2), &json!(1490)));
    assert_eq!(attachment["cid"], Value::Null);
}

#[test]
fn details_omit_absent_fields() {
    let fields = Fields::read(b"To: a@example.com\r\nList-Id: L <l.x>\r\n\r\n");
    let view = details(&message(), "u".into(), &root(), &fields, Shown::default());
    let value = json!(view);
    assert_eq!(value["to"], json!([{"name": "", "address": "a@example.com"}]));
    assert_eq!(value["list"], json!({"id": {"name": "L", "address": "l.x"}}));
    assert_eq!(value["metaData"], json!({}));
    assert_eq!(
        value["envelope"],
        json!({"from": "s@x", "rcpt": [{"value": "R@Example.com", "formatted": "R@example.com"}]})
    );
    for absent in ["cc", "bcc", "replyTo", "html"] {
        assert!(value.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn lists_have_their_urls() {
    let list = |text: &str| {
        let fields = Fields::read(format!("List-Unsubscribe: {text}\r\n\r\n").as_bytes());
        let view = details(&message(), "u".into(), &root(), &fields, Shown::default());
        view.list.unwrap().unsubscribe.unwrap().into_iter().map(|url| url.address).collect()
    };
    let urls: Vec<String> = list("<https://a.b/x>, <mailto:u@l>");
    assert_eq!(urls, ["https://a.b/x", "mailto:u@l"]);
    let urls: Vec<String> = list("leave here <mailto:u@l>");
    assert_eq!(urls, ["mailto:u@l"]);
    let urls: Vec<String> = list("mailto:u@l");
    assert_eq!(urls, ["mailto:u@l"]);
    let urls: Vec<String> = list("nowhere");
    assert!(urls.is_empty());
}

#[test]
fn repeated_fields_are_lists() {
    let fields = Fields::read(b"X-A: 1\r\nFrom: A <a@b.c>\r\nX-A: 2\r\nX-A: 3\r\n\r\n");
    let value = headers(&fields);
    assert_eq!(value["x-a"], json!(["1", "2", "3"]));
    assert_eq!(value["from"], json!([{"name": "A", "address": "a@b.c"}]));
}
