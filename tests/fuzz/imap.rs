//! Targets of IMAP: framing, commands, names, URLs.

use super::engine::Random;
use super::imap_writer;
use bytes::Bytes;
use eider::codec::imap::command;
use eider::codec::imap::framing::{Frame, Framer};
use eider::codec::imap::mailbox_name::{self, Pattern};
use eider::codec::imap::url::Url;
use std::collections::BTreeSet;

/// What a framer makes of the input when it comes in pieces, and what it takes for literals.
fn frames(input: &[u8], mut piece: impl FnMut() -> usize) -> Vec<String> {
    let mut framer = Framer::new();
    let (mut seen, mut diverted) = (Vec::new(), Vec::new());
    let (mut rest, mut fed) = (input, 0);
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(piece().clamp(1, rest.len()));
        framer.feed(head);
        (rest, fed) = (tail, fed + head.len());
        loop {
            assert!(framer.buffered() <= fed, "holds more than it was given");
            match framer.next_frame() {
                Frame::Incomplete => break,
                Frame::Diverted(octets) => diverted.extend_from_slice(&octets),
                Frame::Command(octets) => {
                    let diverted = std::mem::take(&mut diverted);
                    seen.push(format!("{}|{}", octets.escape_ascii(), diverted.escape_ascii()));
                }
                Frame::TooLong { tag } => {
                    diverted.clear();
                    seen.push(format!("too long {tag:?}"));
                }
                Frame::Literal(literal) => {
                    // what a session does, decided by the literal alone
                    match literal.octets % 4 {
                        _ if literal.octets > 10_000 || literal.octets % 5 == 4 => {
                            diverted.clear();
                            framer.refuse_literal();
                        }
                        0 => framer.divert_literal(),
                        _ => framer.accept_literal(),
                    }
                    seen.push(format!("{literal:?}"));
                }
            }
        }
    }
    seen
}

/// Any split of the input frames the same, and no command is longer than what came.
pub fn framing(input: &[u8]) {
    let whole = frames(input, || input.len());
    let mut random = Random::new(input.len() as u64);
    assert_eq!(frames(input, || 1), whole, "octet by octet");
    assert_eq!(frames(input, || random.below(40) + 1), whole, "in pieces");
}

/// Every command a framer cuts out is read or refused, and what is read is the same when it is
/// written and read again.
pub fn commands(input: &[u8]) {
    let mut framer = Framer::new();
    framer.feed(input);
    loop {
        match framer.next_frame() {
            Frame::Incomplete => return,
            Frame::Literal(literal) if literal.octets < 100_000 => framer.accept_literal(),
            Frame::Literal(_) => framer.refuse_literal(),
            Frame::Diverted(_) | Frame::TooLong { .. } => {}
            Frame::Command(octets) => {
                one_command(&octets, false);
                one_command(&octets, true);
            }
        }
    }
}

fn one_command(octets: &Bytes, utf8: bool) {
    match command::parse(octets, utf8) {
        Err(error) => {
            assert!(error.position <= octets.len(), "{error:?}");
            assert!(!error.to_string().is_empty());
        }
        Ok(read) => {
            assert!(!read.command.rule().name.is_empty());
            let Some(written) = imap_writer::write(&read, utf8) else { return };
            let written = Bytes::from(written);
            let again = command::parse(&written, utf8);
            assert_eq!(again.as_ref(), Ok(&read), "{}", written.escape_ascii());
        }
    }
}

/// The names of the commands that are read from the seeds, and of those that are written again: a
/// target that reaches nothing finds nothing.
pub fn reach(seeds: &[Vec<u8>]) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let (mut read, mut written) = (BTreeSet::new(), BTreeSet::new());
    for seed in seeds {
        let mut framer = Framer::new();
        framer.feed(seed);
        loop {
            match framer.next_frame() {
                Frame::Incomplete => break,
                Frame::Literal(_) => framer.accept_literal(),
                Frame::Diverted(_) | Frame::TooLong { .. } => {}
                Frame::Command(octets) => {
                    let Ok(tagged) = command::parse(&octets, false) else { continue };
                    let name = tagged.command.rule().name;
                    read.insert(name);
                    if imap_writer::write(&tagged, false).is_some() {
                        written.insert(name);
                    }
                }
            }
        }
    }
    (read, written)
}

/// Names survive modified UTF-7, patterns end, URLs are read or refused.
pub fn names_and_urls(input: &[u8]) {
    for line in input.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(name) = mailbox_name::decode(line, false) {
            let encoded = mailbox_name::encode(&name);
            assert!(encoded.is_ascii());
            let again = mailbox_name::decode(encoded.as_bytes(), false);
            assert_eq!(again.as_deref(), Some(name.as_str()), "{encoded}");
            let _ = Pattern::new("", &name).matches("INBOX/a/b");
        }
        let text = String::from_utf8_lossy(line);
        if let Some(url) = Url::parse(&text) {
            assert!(url.uid > 0);
            if let Some(token) = &url.token {
                let rump = text.get(..token.rump_octets).unwrap();
                let unsigned = Url::parse(rump).unwrap();
                assert_eq!(unsigned.token, None);
                assert_eq!((unsigned.uid, unsigned.access), (url.uid, url.access));
            }
        }
    }
}
