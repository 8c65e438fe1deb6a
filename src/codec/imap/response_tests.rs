//! Known answers for the writer of responses.

use super::response::{Condition, ListLine, StatusValue, Writer};
use super::response_code::ResponseCode;
use super::search_response::{Esearch, Found};
use super::search_return::SearchReturn;
use super::status::StatusItem;
use crate::model::uid::UidSet;

fn written(utf8: bool, write: impl FnOnce(&mut Writer<'_>)) -> String {
    let mut out = Vec::new();
    write(&mut Writer::new(&mut out, utf8));
    String::from_utf8(out).unwrap()
}

#[test]
fn strings() {
    let string = |utf8, text: &str| {
        written(utf8, |w| {
            w.string(text.as_bytes());
        })
    };
    assert_eq!(string(false, "a \"b\" \\"), r#""a \"b\" \\""#);
    assert_eq!(string(false, "a\r\nb"), "{4}\r\na\r\nb");
    assert_eq!(string(false, "é"), "{2}\r\né");
    assert_eq!(string(true, "é"), "\"é\"");
    assert_eq!(string(false, &"a".repeat(1025)).get(..8), Some("{1025}\r\n"));
    let astring = |text: &str| {
        written(false, |w| {
            w.astring(text.as_bytes());
        })
    };
    assert_eq!(
        (astring("a]b"), astring(""), astring("nil")),
        ("a]b".into(), "\"\"".into(), "\"nil\"".into())
    );
    let mailbox = |utf8, name: &str| {
        written(utf8, |w| {
            w.mailbox(name);
        })
    };
    assert_eq!(
        (mailbox(false, "R&D é"), mailbox(true, "R&D é")),
        ("\"R&-D &AOk-\"".into(), "\"R&D é\"".into())
    );
    assert_eq!(
        written(false, |w| {
            w.number(0).raw(b" ").number(u64::MAX);
        }),
        "0 18446744073709551615"
    );
    assert_eq!(
        written(false, |w| {
            w.nstring(None);
        }),
        "NIL"
    );
}

#[test]
fn lines_of_rfc_9051() {
    let line = |write: &dyn Fn(&mut Writer<'_>)| written(false, |w| write(w));
    let status = |code: &ResponseCode, text| {
        line(&|w| {
            w.status(Some("a1"), Condition::Ok, Some(code), text);
        })
    };
    assert_eq!(status(&ResponseCode::ReadWrite, "done"), "a1 OK [READ-WRITE] done\r\n");
    // RFC 9585 §4.1, §4.2
    let progress = |done, total| ResponseCode::InProgress("A001".into(), done, total);
    let known = status(&progress(Some(454), Some(1000)), "x");
    assert_eq!(known, "a1 OK [INPROGRESS (\"A001\" 454 1000)] x\r\n");
    let unknown = status(&progress(None, None), "x");
    assert_eq!(unknown, "a1 OK [INPROGRESS (\"A001\" NIL NIL)] x\r\n");
    let uids = UidSet::from_ranges(vec![(3956, 3958), (3960, 3960)]);
    let copied = ResponseCode::CopyUid(38505, uids.clone(), UidSet::from_range(304, 307));
    assert_eq!(status(&copied, "x"), "a1 OK [COPYUID 38505 3956:3958,3960 304:307] x\r\n");
    let flags = ResponseCode::PermanentFlags(vec!["\\Deleted".into(), "\\*".into()]);
    assert_eq!(status(&flags, ""), "a1 OK [PERMANENTFLAGS (\\Deleted \\*)] .\r\n");
    let bye = line(&|w| {
        w.status(None, Condition::Bye, None, "so\r\n* OK é");
    });
    assert_eq!(bye, "* BYE so??* OK ?\r\n");
    assert_eq!(
        line(&|w| {
            w.search(Found::Set(&uids), Some(7));
        }),
        "* SEARCH 3956 3957 3958 3960 (MODSEQ 7)\r\n"
    );
    assert_eq!(
        line(&|w| {
            w.search(Found::Set(&UidSet::new()), Some(7));
        }),
        "* SEARCH\r\n"
    );
    let mut returns = SearchReturn { min: true, max: true, count: true, ..SearchReturn::ALL };
    let esearch = |returns, found: &UidSet| {
        line(&|w| {
            w.esearch(&Esearch {
                tag: "A2",
                mailbox: None,
                uid: true,
                returns,
                found: Found::Set(found),
                relevancy: &[],
                mod_seq: None,
            });
        })
    };
    assert_eq!(
        esearch(returns, &uids),
        "* ESEARCH (TAG \"A2\") UID MIN 3956 MAX 3960 ALL 3956:3958,3960 COUNT 4\r\n"
    );
    assert_eq!(esearch(returns, &UidSet::new()), "* ESEARCH (TAG \"A2\") UID COUNT 0\r\n");
    returns.count = false;
    assert_eq!(esearch(returns, &UidSet::new()), "* ESEARCH (TAG \"A2\") UID\r\n");
    assert_eq!(
        line(&|w| {
            w.vanished(true, &uids);
        }),
        "* VANISHED (EARLIER) 3956:3958,3960\r\n"
    );
}

#[test]
fn mailbox_lines() {
    let list = ListLine {
        attributes: &["\\Subscribed", "\\HasNoChildren"],
        name: "a b",
        child_info: &["SUBSCRIBED"],
        old_name: Some("c"),
        ..ListLine::default()
    };
    assert_eq!(
        written(false, |w| {
            w.list(&list);
        }),
        "* LIST (\\Subscribed \\HasNoChildren) \"/\" \"a b\" \
         (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"c\"))\r\n"
    );
    let items = [
        (StatusItem::Messages, StatusValue::Number(231)),
        (StatusItem::MailboxId, StatusValue::ObjectId("f1".into())),
        (StatusItem::AppendLimit, StatusValue::Nil),
    ];
    assert_eq!(
        written(false, |w| {
            w.mailbox_status("INBOX", &items);
        }),
        "* STATUS \"INBOX\" (MESSAGES 231 MAILBOXID (f1) APPENDLIMIT NIL)\r\n"
    );
    assert_eq!(
        written(false, |w| {
            w.id(&[("name", "x\"y")]);
        }),
        "* ID (\"name\" \"x\\\"y\")\r\n"
    );
}
