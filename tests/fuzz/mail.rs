//! Targets of SMTP, POP3 and MIME.

use super::engine::Random;
use eider::codec::mime::section::{Section, SectionText, locate, select_fields};
use eider::codec::mime::{skeleton, structure, text, tree};
use eider::codec::pop3;
use eider::codec::sasl::bearer::Bearer;
use eider::codec::sasl::scram::{ClientFinal, ClientFirst};
use eider::codec::sasl::{decode_line, encode_challenge};
use eider::codec::smtp::command;
use eider::codec::smtp::data::{self, DataDecoder};
use eider::model::structure::{ByteRange, Part};

/// Every line is read or refused, with or without its line end.
pub fn smtp_commands(input: &[u8]) {
    for line in input.split_inclusive(|octet| *octet == b'\n') {
        let bare = line.strip_suffix(b"\r\n").unwrap_or(line);
        if bare.ends_with(b"\r") {
            continue;
        }
        match (command::parse(line), command::parse(bare)) {
            (Ok(one), Ok(other)) => assert_eq!(one, other),
            (Err(error), _) | (_, Err(error)) => assert!(error.position <= line.len()),
        }
    }
}

/// As for SMTP.
pub fn pop3_commands(input: &[u8]) {
    for line in input.split_inclusive(|octet| *octet == b'\n') {
        let bare = line.strip_suffix(b"\r\n").unwrap_or(line);
        if bare.ends_with(b"\r") {
            continue;
        }
        let (one, other) = (pop3::command::parse(line), pop3::command::parse(bare));
        match (one, other) {
            (Ok(one), Ok(other)) => {
                assert!(one == other, "{}", one.name());
                assert!(!one.name().is_empty());
            }
            (one, other) => assert_eq!(one.is_err(), other.is_err()),
        }
    }
}

/// The content of data that comes in pieces, and how many octets its end is at.
fn decoded(input: &[u8], mut piece: impl FnMut() -> usize) -> (Vec<u8>, Option<usize>) {
    let mut decoder = DataDecoder::default();
    let (mut content, mut at) = (Vec::new(), 0);
    while at < input.len() {
        let end = (at + piece().max(1)).min(input.len());
        let mut rest = &input[at..end];
        while !rest.is_empty() {
            let step = decoder.step(rest);
            content.extend_from_slice(step.content);
            rest = &rest[step.consumed..];
            if step.is_end {
                return (content, Some(end - rest.len()));
            }
        }
        at = end;
    }
    (content, None)
}

/// Any split decodes the same, and content survives its encoding.
pub fn smtp_data(input: &[u8]) {
    let whole = decoded(input, || input.len());
    let mut random = Random::new(input.len() as u64);
    assert_eq!(decoded(input, || 1), whole);
    assert_eq!(decoded(input, || random.below(9) + 1), whole);
    assert!(whole.0.len() <= input.len());
    if input.ends_with(b"\r\n") && !data::has_bare_line_ends(input) {
        let mut encoded = Vec::new();
        data::encode(input, &mut encoded);
        let (content, end) = decoded(&encoded, || encoded.len());
        assert_eq!((content.as_slice(), end), (input, Some(encoded.len())));
    }
}

/// The tree lies within the content, survives its stored form, every section is a range of the
/// content, and the skeleton gives the content back.
pub fn mime_structure(input: &[u8]) {
    let found = structure::parse(input);
    let stored = tree::encode(&found.root);
    assert_eq!(tree::decode(&stored).as_ref(), Some(&found.root));
    let (skeleton, decoded) = skeleton::split(input, &found.root);
    assert_eq!(skeleton::expand(&skeleton, &decoded), input);
    for wire in [&found.envelope, &found.body, &found.bodystructure] {
        let mut rest = wire.as_slice();
        value(&mut rest);
        assert!(rest.is_empty(), "{}", wire.escape_ascii());
    }
    assert!(found.summary.preview.chars().count() <= 256);
    sections(input, &found.root, &mut Vec::new(), &mut 200);
}

/// The sections of all parts, at most so many.
fn sections(input: &[u8], root: &Part, path: &mut Vec<u32>, left: &mut u32) {
    let texts = [SectionText::All, SectionText::Header, SectionText::Text, SectionText::Mime];
    for text in texts {
        let section = Section { path: path.clone(), text };
        if let Some(located) = locate(root, &section) {
            assert!(located.range.start <= located.range.end);
            assert!(located.range.end <= input.len() as u64);
            let header = of(input, located.range);
            let _ = select_fields(header, &["Subject".to_owned()], true);
        }
    }
    let Some(part) = tree::find(root, path) else { return };
    let body = of(input, part.body);
    if body.len() < 1000 {
        let _ = text::decode_text(part, body);
    }
    for number in 1..=3 {
        if *left == 0 || path.len() > 20 {
            return;
        }
        path.push(number);
        if tree::find(root, path).is_some_and(|child| !std::ptr::eq(child, part)) {
            *left -= 1;
            sections(input, root, path, left);
        }
        path.pop();
    }
}

fn of(input: &[u8], range: ByteRange) -> &[u8] {
    let at = |offset: u64| usize::try_from(offset).unwrap();
    &input[at(range.start)..at(range.end)]
}

/// Passes over one value of IMAP: list, string, number or NIL.
fn value(rest: &mut &[u8]) {
    let mut open = 0u32;
    loop {
        match rest[0] {
            b'(' => {
                open += 1;
                *rest = &rest[1..];
            }
            b')' => {
                open = open.checked_sub(1).unwrap();
                *rest = &rest[1..];
            }
            b' ' => *rest = &rest[1..],
            b'"' => {
                let mut end = 1;
                while rest[end] != b'"' {
                    assert!(!matches!(rest[end], 0 | b'\r' | b'\n' | 0x80..));
                    end += if rest[end] == b'\\' { 2 } else { 1 };
                }
                *rest = &rest[end + 1..];
            }
            b'{' => {
                let close = rest.iter().position(|octet| *octet == b'}').unwrap();
                let octets: usize = std::str::from_utf8(&rest[1..close]).unwrap().parse().unwrap();
                assert_eq!(&rest[close + 1..close + 3], b"\r\n");
                *rest = &rest[close + 3 + octets..];
            }
            b'N' => *rest = rest.strip_prefix(b"NIL").unwrap(),
            octet => {
                assert!(octet.is_ascii_digit(), "{}", rest.escape_ascii());
                let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
                *rest = &rest[digits..];
            }
        }
        if open == 0 {
            return;
        }
    }
}

/// Messages of logins are read whole or refused, and what is signed is what was said.
pub fn sasl_messages(input: &[u8]) {
    if let Some(first) = ClientFirst::parse(input) {
        assert_eq!([first.header.as_bytes(), first.bare.as_bytes()].concat(), input);
        assert!(!first.username.is_empty() && !first.nonce.is_empty());
    }
    if let Some(last) = ClientFinal::parse(input) {
        assert!(input.starts_with(last.without_proof.as_bytes()));
    }
    for said in
        [Bearer::parse_oauthbearer(input), Bearer::parse_xoauth2(input)].into_iter().flatten()
    {
        assert!(!said.token.is_empty());
    }
    if let Ok(octets) = decode_line(input) {
        assert_eq!(decode_line(encode_challenge(&octets).as_bytes()), Ok(octets));
    }
}
