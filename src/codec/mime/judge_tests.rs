//! Python's email package judges ENVELOPE and BODYSTRUCTURE of the corpus.
//!
//! `tests/judges/structure.py` prints its opinion; here our wire forms are read back and compared.
//! Every disagreement is in [`EXPLAINED`] with its reason, or the test fails.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value as Json;

use super::corpus_tests::{corpus, corpus_root, with_crlf};
use super::structure;

/// Messages about which we and Python think differently, and why we do.
///
/// The recurring ones: `EMPTY`: a multipart without a single delimiter is a leaf for Python; IMAP
/// has no such thing, and we show its body as text. `SAME`: a boundary used by two nested
/// multiparts belongs to the inner one, as for Dovecot; for Python to the outer one. `JUNK`: a line
/// without colon ends the header for Python; for us and Dovecot only an empty line does.
const EXPLAINED: &[(&str, &str)] = &[
    ("malformed/001.eml", EMPTY),
    ("malformed/002.eml", EMPTY),
    ("malformed/003.eml", SAME),
    ("malformed/004.eml", EMPTY),
    ("malformed/005.eml", "`--a----` opens a--- before it closes a--: the longest name wins"),
    ("malformed/007.eml", EMPTY),
    ("malformed/013.eml", SAME),
    ("malformed/017.eml", EMPTY),
    ("malformed/019.eml", JUNK),
    ("malformed/022.eml", JUNK),
    ("rfc/008.eml", "Python parses message/delivery-status, which is a leaf (RFC 3464 §2.1)"),
    ("thirdparty/004.eml", "an encoding is one token: `8 bit` is `8`"),
    ("thirdparty/012.eml", "a boundary folded inside its quotes is unfolded"),
    ("thirdparty/015.eml", EMPTY),
    // The SpamAssassin corpus, by the beginning of the name (`EIDER_CORPUS` says where it is).
    ("easy-ham-2/01324.", ADDRESS),
    ("easy-ham-2/01325.", ADDRESS),
    ("easy-ham-2/01326.", ADDRESS),
    ("hard-ham-1/00199.", ADDRESS),
    ("hard-ham-1/00247.", ADDRESS),
    ("spam-1/00096.", ADDRESS),
    ("spam-1/00133.", ADDRESS),
    ("spam-1/00296.", ADDRESS),
    ("spam-1/00297.", ADDRESS),
    ("spam-1/00351.", ADDRESS),
    ("spam-1/00368.", ADDRESS),
    ("spam-1/00373.", ADDRESS),
    ("spam-1/00467.", EMPTY),
    ("spam-2/00011.", ADDRESS),
    ("spam-2/00038.", ADDRESS),
    ("spam-2/00080.", ADDRESS),
    ("spam-2/00135.", ADDRESS),
    ("spam-2/00136.", ADDRESS),
    ("spam-2/00204.", "the semicolon before the parameters is missing"),
    ("spam-2/00343.", ADDRESS),
    ("spam-2/00344.", ADDRESS),
    ("spam-2/00464.", ADDRESS),
    ("spam-2/00528.", ADDRESS),
    ("spam-2/00557.", ADDRESS),
    ("spam-2/00778.", ADDRESS),
    ("spam-2/00818.", ADDRESS),
    ("spam-2/00929.", ADDRESS),
    ("spam-2/00930.", ADDRESS),
    ("spam-2/01135.", ADDRESS),
    ("spam-2/01214.", EMPTY),
    ("spam-2/01349.", ADDRESS),
];
const EMPTY: &str = "a multipart without parts";
const ADDRESS: &str = "an address that is none; each reads into it what it likes";
const SAME: &str = "nested multiparts with one boundary";
const JUNK: &str = "a line without colon in a header";

/// A value of the IMAP wire form.
#[derive(Debug)]
enum Wire {
    Nil,
    Number(u64),
    Text(Vec<u8>),
    List(Vec<Wire>),
}

impl Wire {
    fn read(rest: &mut &[u8]) -> Self {
        let take = |rest: &mut &[u8], count: usize| {
            let (head, tail) = rest.split_at(count);
            *rest = tail;
            head.to_vec()
        };
        match rest[0] {
            b'(' => {
                take(rest, 1);
                let mut items = Vec::new();
                while rest[0] != b')' {
                    if rest[0] == b' ' {
                        take(rest, 1);
                    } else {
                        items.push(Self::read(rest));
                    }
                }
                take(rest, 1);
                Self::List(items)
            }
            b'"' => {
                take(rest, 1);
                let mut text = Vec::new();
                while rest[0] != b'"' {
                    if rest[0] == b'\\' {
                        take(rest, 1);
                    }
                    text.extend(take(rest, 1));
                }
                take(rest, 1);
                Self::Text(text)
            }
            b'{' => {
                let end = rest.iter().position(|octet| *octet == b'}').unwrap();
                let len = String::from_utf8(take(rest, end)[1..].to_vec()).unwrap();
                take(rest, 3);
                Self::Text(take(rest, len.parse().unwrap()))
            }
            b'N' => {
                take(rest, 3);
                Self::Nil
            }
            _ => {
                let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
                Self::Number(String::from_utf8(take(rest, digits)).unwrap().parse().unwrap())
            }
        }
    }

    fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Octets shown as ISO 8859-1, as the judge does.
    fn latin1(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.iter().copied().map(char::from).collect()),
            _ => None,
        }
    }

    fn lower(&self) -> String {
        self.latin1().unwrap_or_default().to_ascii_lowercase()
    }

    fn json_number(&self) -> Json {
        match self {
            Self::Number(number) => Json::from(*number),
            _ => Json::Null,
        }
    }
}

/// The parts of a BODYSTRUCTURE in the judge's form.
fn walk(body: &Wire, path: &[usize], out: &mut Vec<Json>) {
    let name = path.iter().map(usize::to_string).collect::<Vec<_>>().join(".");
    let items = body.items();
    let children = items.iter().take_while(|item| matches!(item, Wire::List(_))).count();
    if children > 0 {
        // The encoding of a multipart is not in a BODYSTRUCTURE.
        out.push(row(&name, "multipart", &items[children].lower(), None, [Json::Null, Json::Null]));
        for (at, child) in items[..children].iter().enumerate() {
            walk(child, &[path, &[at + 1]].concat(), out);
        }
        return;
    }
    let (media, sub) = (items[0].lower(), items[1].lower());
    let encoding = items[5].lower();
    let is_message = media == "message" && (sub == "rfc822" || sub == "global");
    let is_encoded = encoding == "base64" || encoding == "quoted-printable";
    if is_message && !is_encoded {
        out.push(row(&name, &media, &sub, Some(&encoding), [Json::Null, Json::Null]));
        inside(&items[8], path, out);
        return;
    }
    let lines = if media == "text" { items[7].json_number() } else { Json::Null };
    out.push(row(&name, &media, &sub, Some(&encoding), [items[6].json_number(), lines]));
}

fn inside(body: &Wire, path: &[usize], out: &mut Vec<Json>) {
    let items = body.items();
    let children = items.iter().take_while(|item| matches!(item, Wire::List(_))).count();
    if children == 0 {
        return walk(body, &[path, &[1]].concat(), out);
    }
    for (at, child) in items[..children].iter().enumerate() {
        walk(child, &[path, &[at + 1]].concat(), out);
    }
}

fn row(path: &str, media: &str, sub: &str, encoding: Option<&str>, counts: [Json; 2]) -> Json {
    let [octets, lines] = counts;
    serde_json::json!({
        "path": path, "type": media, "subtype": sub, "encoding": encoding,
        "octets": octets, "lines": lines,
    })
}

fn addresses(list: &Wire) -> Vec<String> {
    let one = |address: &Wire| {
        let [_, _, mailbox, host] = address.items() else { return None };
        let (mailbox, host) = (mailbox.latin1()?, host.latin1()?);
        Some(if host.is_empty() { mailbox } else { format!("{mailbox}@{host}") })
    };
    list.items().iter().filter_map(one).filter(|address| !address.is_empty()).collect()
}

/// In a multipart that is cut off, Python drops the last line end of the message; we drop only one
/// that stands before a delimiter. So the last part has one line end more with us.
fn is_cut(our: &Json, their: &Json, content: &[u8]) -> bool {
    let (Some(ours), Some(theirs)) = (our["octets"].as_u64(), their["octets"].as_u64()) else {
        return false;
    };
    let line_end = if content.ends_with(b"\r\n") { 2 } else { 1 };
    let mut moved = our.clone();
    moved["octets"] = their["octets"].clone();
    if !moved["lines"].is_null() && content.ends_with(b"\n") {
        moved["lines"] = Json::from(our["lines"].as_u64().unwrap().saturating_sub(1));
    }
    let is_end = content.last().is_some_and(|octet| matches!(octet, b'\r' | b'\n'));
    let is_equal = ["path", "type", "subtype", "encoding", "lines"]
        .iter()
        .all(|key| moved[key].is_null() || moved[key] == their[key]);
    is_end && ours == theirs + line_end && is_equal
}

/// What differs between our wire forms and the judge's opinion, in words.
fn differences(content: &[u8], judged: &Json) -> Vec<String> {
    let found = structure::parse(content);
    let mut differences = Vec::new();
    let body = Wire::read(&mut found.bodystructure.as_slice());
    let mut ours = Vec::new();
    inside(&body, &[], &mut ours);
    let theirs = judged["parts"].as_array().unwrap();
    if ours.len() != theirs.len() {
        differences.push(format!("{} parts, not {}", ours.len(), theirs.len()));
    }
    let last = &ours[ours.len() - 1];
    for (our, their) in ours.iter().zip(theirs) {
        if is_cut(our, their, content) && std::ptr::eq(our, last) {
            continue;
        }
        for key in ["path", "type", "subtype", "encoding", "octets", "lines"] {
            let is_comparable = !our[key].is_null() && !their[key].is_null();
            if is_comparable && our[key] != their[key] {
                let path = &our["path"];
                differences.push(format!("part {path} {key}: {}, not {}", our[key], their[key]));
            }
        }
    }
    let envelope = Wire::read(&mut found.envelope.as_slice());
    let fields = envelope.items();
    for (at, name) in [(0, "date"), (1, "subject"), (8, "in-reply-to"), (9, "message-id")] {
        let ours = Json::from(fields[at].latin1());
        if ours != judged["envelope"][name] {
            differences.push(format!("{name}: {ours}, not {}", judged["envelope"][name]));
        }
    }
    for (at, name) in [(2, "from"), (5, "to"), (6, "cc"), (7, "bcc")] {
        let plain = |text: &str| text.replace(['"', ' ', '\t'], "");
        let ours: Vec<_> = addresses(&fields[at]).iter().map(|text| plain(text)).collect();
        let theirs = judged["envelope"][name].as_array().unwrap();
        let theirs: Vec<_> = theirs.iter().map(|text| plain(text.as_str().unwrap())).collect();
        if ours != theirs {
            differences.push(format!("{name}: {ours:?}, not {theirs:?}"));
        }
    }
    differences
}

#[test]
fn python_agrees_about_the_corpus() {
    let messages: BTreeMap<String, Vec<u8>> = corpus().into_iter().collect();
    if messages.is_empty() {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/judges/structure.py");
    let output = Command::new("python3").arg(script).arg(corpus_root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut unexplained = Vec::new();
    let mut agreeing: Vec<&str> = EXPLAINED.iter().map(|(name, _)| *name).collect();
    agreeing.retain(|explained| messages.keys().any(|name| name.starts_with(explained)));
    let mut judged_count = 0;
    for line in output.stdout.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
        let judged: Json = serde_json::from_slice(line).unwrap();
        let name = judged["path"].as_str().unwrap();
        let form = judged["form"].as_str().unwrap();
        let content = &messages[name];
        let content = if form == "crlf" { with_crlf(content) } else { content.clone() };
        judged_count += 1;
        let differences = differences(&content, &judged);
        if differences.is_empty() {
            continue;
        }
        agreeing.retain(|explained| !name.starts_with(explained));
        if !EXPLAINED.iter().any(|(explained, _)| name.starts_with(explained)) {
            unexplained.push(format!("{name} {form}: {}", differences.join("; ")));
        }
    }
    assert_eq!(judged_count, messages.len() * 2);
    assert!(
        unexplained.is_empty(),
        "{} unexplained:\n{}",
        unexplained.len(),
        unexplained.join("\n")
    );
    assert_eq!(agreeing, Vec::<&str>::new(), "explained, but they agree");
}
