//! The whole of `codec::mime` over the corpus and over hostile octets; nothing may panic.

use std::path::PathBuf;

use super::section::{Section, SectionText, locate};
use super::{skeleton, structure, text, tree};
use crate::model::limits::{MIME_DEPTH_MAX, MIME_PARTS_MAX};
use crate::model::structure::{Part, Structure};

/// Where the corpus is.
pub(super) fn corpus_root() -> String {
    #[expect(clippy::disallowed_methods, reason = "a test finds its corpus")]
    let root = std::env::var("EIDER_CORPUS");
    root.unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus").to_owned())
}

/// All messages of the corpus with their names; empty if there is no corpus.
pub(super) fn corpus() -> Vec<(String, Vec<u8>)> {
    let root = corpus_root();
    let mut messages = Vec::new();
    let mut folders = vec![PathBuf::from(&root)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "README.md") {
                let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
                messages.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    messages.sort();
    messages
}

/// The same message with CRLF line ends.
pub(super) fn with_crlf(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + content.len() / 30);
    let mut last = 0;
    for octet in content {
        if *octet == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(*octet);
        last = *octet;
    }
    out
}

/// Reads one value in parentheses, a string, a literal, a number or NIL; returns the rest.
fn skip_value(wire: &[u8]) -> Option<&[u8]> {
    let mut depth = 0usize;
    let mut rest = wire;
    loop {
        rest = match rest {
            [b'(', after @ ..] => {
                depth += 1;
                after
            }
            [b')', after @ ..] => {
                depth = depth.checked_sub(1)?;
                after
            }
            [b' ', after @ ..] if depth > 0 => after,
            [b'"', after @ ..] => skip_quoted(after)?,
            [b'{', after @ ..] => {
                let end = after.iter().position(|octet| *octet == b'}')?;
                let len: usize = std::str::from_utf8(&after[..end]).ok()?.parse().ok()?;
                let literal = after[end + 1..].strip_prefix(b"\r\n")?;
                assert!(!literal.get(..len)?.contains(&0));
                literal.get(len..)?
            }
            [b'N', b'I', b'L', after @ ..] => after,
            [b'0'..=b'9', after @ ..] => after,
            _ => return None,
        };
        if depth == 0 {
            return Some(rest);
        }
    }
}

fn skip_quoted(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'"' | b'\\', after @ ..] => after,
            [b'\\' | b'\r' | b'\n' | 0 | 0x80.., ..] => return None,
            [_, after @ ..] => after,
            [] => return None,
        };
    }
}

fn check_part(part: &Part, content: &[u8], around: (u64, u64), depth: usize) -> usize {
    assert!(depth <= MIME_DEPTH_MAX + 1);
    assert!(around.0 <= part.header.start && part.header.start <= part.header.end);
    assert!(part.header.end <= part.body.start && part.body.start <= part.body.end);
    assert!(part.body.end <= around.1);
    assert!(part.media_type != "multipart" || part.is_multipart());
    let body = usize::try_from(part.body.start).unwrap()..usize::try_from(part.body.end).unwrap();
    if part.children.is_empty() && part.media_type == "text" {
        let decoded = text::decode_text(part, &content[body]);
        if part.media_subtype == "html" {
            text::html_to_text(&decoded);
        }
    }
    let mut count = 1;
    let mut start = part.body.start;
    for child in &part.children {
        count += check_part(child, content, (start, part.body.end), depth + 1);
        start = child.body.end;
    }
    count
}

fn check(name: &str, content: &[u8]) -> Structure {
    let found = structure::parse(content);
    let end = u64::try_from(content.len()).unwrap();
    let root = &found.root;
    assert_eq!((root.header.start, root.header.end), (0, root.body.start), "{name}");
    assert_eq!(root.body.end, end, "{name}");
    assert!(check_part(root, content, (0, end), 0) <= MIME_PARTS_MAX * 2, "{name}");
    let stored = tree::encode(root);
    assert_eq!(tree::decode(&stored).as_ref(), Some(root), "{name}");
    let (cut, attachments) = skeleton::split(content, root);
    assert!(skeleton::expand(&cut, &attachments) == content, "{name}");
    for wire in [&found.envelope, &found.body, &found.bodystructure] {
        assert_eq!(skip_value(wire), Some(&b""[..]), "{name}");
    }
    for path in [&[][..], &[1], &[2], &[1, 1], &[1, 2, 3]] {
        for text in [SectionText::All, SectionText::Header, SectionText::Text, SectionText::Mime] {
            if let Some(found) = locate(root, &Section { path: path.to_vec(), text }) {
                assert!(found.range.start <= found.range.end && found.range.end <= end);
            }
        }
    }
    let octets = [stored.len(), found.envelope.len(), found.body.len(), found.bodystructure.len()];
    assert!(octets.iter().sum::<usize>() < 10 * 1024 * 1024, "{name} {octets:?}");
    assert!(found.summary.preview.chars().count() <= 128);
    found
}

fn accepted_by_imap_codec(found: &Structure) -> bool {
    use imap_codec::decode::Decoder;
    let mut line = b"* 1 FETCH (ENVELOPE ".to_vec();
    line.extend_from_slice(&found.envelope);
    line.extend_from_slice(b" BODY ");
    line.extend_from_slice(&found.body);
    line.extend_from_slice(b" BODYSTRUCTURE ");
    line.extend_from_slice(&found.bodystructure);
    line.extend_from_slice(b")\r\n");
    let codec = imap_codec::ResponseCodec::default();
    matches!(codec.decode(&line), Ok((rest, _)) if rest.is_empty())
}

#[test]
fn corpus_is_read_whole() {
    let mut refused = Vec::new();
    for (name, content) in corpus() {
        for content in [with_crlf(&content), content] {
            let found = check(&name, &content);
            if !accepted_by_imap_codec(&found) {
                refused.push(name.clone());
            }
        }
    }
    refused.dedup();
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn corpus_cut_anywhere_is_read() {
    for (name, content) in corpus() {
        for cut in (0..content.len()).step_by(content.len() / 23 + 1) {
            check(&name, &content[..cut]);
            check(&name, &content[cut..]);
        }
    }
}

fn multipart(boundary: &str) -> String {
    format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n")
}

#[test]
fn hostile_messages_are_bounded() {
    let nested: String =
        (0..5000).map(|at| multipart(&format!("b{at}")) + &format!("--b{at}\r\n")).collect();
    let prefixes: String = (1..200)
        .map(|at| "x".repeat(at))
        .map(|boundary| multipart(&boundary) + "--" + &boundary + "\r\n")
        .collect();
    for (name, content) in [
        ("empty", String::new()),
        ("only line", "\r\n".into()),
        ("nested", nested),
        ("prefixes", prefixes + &"--xxxx\r\n--xxx--\r\n".repeat(10_000)),
        ("many parts", multipart("b") + &"--b\r\n\r\nx\r\n".repeat(100_000)),
        ("many delimiters", multipart("b") + &"--b\r\n".repeat(100_000)),
        ("many strangers", multipart("b") + &"--c\r\n".repeat(100_000)),
        ("long delimiter", multipart(&"b".repeat(100_000)) + "--" + &"b".repeat(100_000)),
        ("messages", "Content-Type: message/rfc822\r\n\r\n".repeat(20_000)),
        ("digests", (multipart("b") + "--b\r\n").replace("mixed", "digest").repeat(2000)),
        ("header only", "A: b\r\n".repeat(40_000)),
        ("folds", format!("Subject: {}", "\r\n ".repeat(60_000))),
        ("angles", format!("From: {}\r\n\r\n", "<".repeat(100_000))),
        ("quotes", format!("From: {}\r\n\r\n", "\"a\" (".repeat(40_000))),
        ("commas", format!("To: {}\r\n\r\n", "a,".repeat(100_000))),
        ("words", format!("Subject: {}\r\n\r\n", "=?a?q?".repeat(100_000))),
        ("good words", format!("Subject: {}\r\n\r\n", "=?utf-8?q?a?= ".repeat(100_000))),
        ("parameters", format!("Content-Type: a/b{}\r\n\r\n", "; a*1*=b".repeat(100_000))),
        ("boundary of spaces", "Content-Type: multipart/x; boundary=\"  \"\r\n\r\n--\r\n".into()),
        ("nul", "Subject: a\0b\r\n\0\r\n\r\n\0".into()),
        ("addresses", format!("To: {}\r\n\r\n", "a@b, ".repeat(60_000))),
        (
            "names",
            multipart("b")
                + &format!("--b\r\nContent-Type: a/b; name={}\r\n\r\n", "n".repeat(2000))
                    .repeat(5000),
        ),
        ("references", format!("References: {}\r\n\r\n", "<a".repeat(60_000))),
    ] {
        check(name, content.as_bytes());
        check(name, content.replace("\r\n", "\n").as_bytes());
    }
    let octets: Vec<u8> =
        (0..200_000u32).map(|at| u8::try_from(at.wrapping_mul(at) / 7 % 256).unwrap()).collect();
    check("noise", &octets);
}

#[test]
fn broken_multiparts_have_sane_parts() {
    let bodies = |message: &str| -> Vec<String> {
        let root = structure::parse(message.as_bytes()).root;
        let text = |part: &Part| {
            let end = usize::try_from(part.body.end).unwrap();
            message[usize::try_from(part.body.start).unwrap()..end].to_owned()
        };
        root.children.iter().map(text).collect()
    };
    let with = |body: &str| multipart("b") + body;
    assert_eq!(bodies(&with("pre\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo")), ["one", "two"]);
    assert_eq!(bodies(&with("--b\r\n\r\n\r\n--b--\r\nepilogue\r\n--b\r\n\r\nx")), [""]);
    assert_eq!(bodies(&with("--b\r\nA: b\r\n--b--\r\n")), [""]);
    assert_eq!(
        bodies(&with("--b \t\r\n\r\none\r\n--bb\r\n--b--x\r\n--b-- \r\n")),
        ["one\r\n--bb\r\n--b--x"]
    );
    assert_eq!(bodies(&with("--b\n\none\n--b--\n")), ["one"]);
    assert_eq!(bodies(&with("none")), ["none"]);
    // RFC 2046 §5.1.2: an outer delimiter ends an inner multipart that was not closed.
    let inner = multipart("i") + "--i\r\n\r\nin\r\n";
    let unclosed = with(&format!("--b\r\n{inner}--b\r\n\r\nout\r\n--b--\r\n"));
    assert_eq!(bodies(&unclosed), ["--i\r\n\r\nin", "out"]);
    let root = structure::parse(unclosed.as_bytes()).root;
    assert_eq!(root.children[0].children[0].body.octets(), 2);
}
