//! Transcripts: what is said on one or more connections, line by line, as golden files.
//!
//! The first line is a comment that names the RFC section. Then, one a line:
//!
//! - `C: text` sends the text and CRLF on the first connection, `C2: text` on the second (opened
//!   when first named); `C> text` sends without CRLF. Literals are written as further `C:` lines.
//! - `S: text` expects exactly this line. `$name` (a lowercase first letter) stands for a word: the
//!   first time it is bound, afterwards it must be the same; in `C:` it is replaced. `$*` stands
//!   for any text. Lines `S~:` that follow each other may come in any order; `S+: text` passes over
//!   lines until this one comes.
//! - `! user berta` creates a user and binds `$berta` to its name; `$user` is there from the start,
//!   `$password` is everybody's. `$user64`, `$password64` and `$plain` are those in base64, the last
//!   as SASL's PLAIN has them.
//! - `! append INBOX (\Seen) subject` stores a small message of `$user`, `! store INBOX mime/x.eml`
//!   a file of `tests/golden`.
//! - `#` and empty lines are for the reader.
//!
//! `* OK [MAILBOXID (...)]`, which every SELECT tells, is passed over where it is not expected. So are
//! `* n RECENT` and `\Recent`, which few transcripts are about: those whose first line names `\Recent`.
//! A greeting is read when a connection is opened, and a POP3 or IMAP connection is not logged in.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::corpus::{message, with_crlf};
use super::store::{PASSWORD, TestStore, unique};
use super::within;

/// Plays every transcript below `tests/golden/<folder>` against the address. Panics with all that
/// differ.
pub async fn play_all(store: &TestStore, folder: &str, address: SocketAddr) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut paths: Vec<_> =
        std::fs::read_dir(&root).expect("the folder").flatten().map(|e| e.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "transcript"));
    paths.sort();
    let only = std::env::var("EIDER_TRANSCRIPT").ok();
    let mut wrong = Vec::new();
    let mut played = 0;
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        played += 1;
        if let Err(difference) = play(store, &text, address).await {
            wrong.push(format!("{folder}/{name}:{difference}"));
        }
    }
    assert!(played > 0, "no transcript below {}", root.display());
    assert!(wrong.is_empty(), "{} of {played} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// What a SELECT tells and few transcripts are about (RFC 8474 §4.2).
const MAILBOX_ID: &str = "* OK [MAILBOXID ";

type Words = HashMap<String, String>;

async fn play(store: &TestStore, text: &str, address: SocketAddr) -> Result<(), String> {
    if !text.starts_with("# ") {
        return Err("1: opens without a comment that names the rule".into());
    }
    let user = unique("user").replace('_', "-");
    store.create_user(&user).await;
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let mut words: Words = [
        ("user", user.clone()),
        ("password", PASSWORD.to_owned()),
        ("user64", base64(&user)),
        ("password64", base64(PASSWORD)),
        ("plain", base64(&format!("\0{user}\0{PASSWORD}"))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let mut connections: HashMap<String, BufReader<TcpStream>> = HashMap::new();
    let lines: Vec<&str> = text.lines().collect();
    let names_recent = lines.first().is_some_and(|line| line.contains("\\Recent"));
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(directive) = line.strip_prefix("! ") {
            direct(store, directive, &mut words).await;
            continue;
        }
        let split = line.find([':', '>']).ok_or_else(|| format!("{number}: what is `{line}`?"))?;
        let (who, rest) = (&line[..split], &line[split + 1..]);
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let key = who[1..].trim_end_matches(['~', '+']).to_owned();
        if !connections.contains_key(&key) {
            connections.insert(key.clone(), connect(address).await);
        }
        let stream = connections.get_mut(&key).unwrap();
        if who.starts_with('C') {
            let end = if line.as_bytes()[split] == b':' { "\r\n" } else { "" };
            let said = format!("{}{end}", replaced(rest, &words));
            stream.get_mut().write_all(said.as_bytes()).await.map_err(|e| e.to_string())?;
        } else if who.ends_with('+') {
            pass_to(stream, rest, names_recent, &mut words)
                .await
                .map_err(|error| format!("{number}: {error}"))?;
        } else if who.ends_with('~') {
            let mut expected = vec![rest];
            while let Some(more) = lines.get(at).and_then(|line| line.strip_prefix(who)) {
                expected.push(more[1..].strip_prefix(' ').unwrap_or(&more[1..]));
                at += 1;
            }
            hear_all(stream, expected, names_recent, &mut words)
                .await
                .map_err(|error| format!("{number}: {error}"))?;
        } else {
            hear_one(stream, rest, names_recent, &mut words)
                .await
                .map_err(|error| format!("{number}: {error}"))?;
        }
    }
    Ok(())
}

/// Hears exactly this line.
async fn hear_one(
    stream: &mut BufReader<TcpStream>,
    expected: &str,
    names_recent: bool,
    words: &mut Words,
) -> Result<(), String> {
    let mut heard = hear(stream).await?;
    while heard.starts_with(MAILBOX_ID) && !expected.starts_with(MAILBOX_ID)
        || is_recent(&heard) && !is_recent(expected) && !names_recent
    {
        heard = hear(stream).await?;
    }
    if !names_recent {
        heard = without_recent(&heard);
    }
    if is_said(expected, &heard, words) {
        return Ok(());
    }
    Err(format!("expected {}\n   heard    {heard}", replaced(expected, words)))
}

/// `* n RECENT` (RFC 3501 §7.3.2).
fn is_recent(line: &str) -> bool {
    line.starts_with("* ") && line.ends_with(" RECENT")
}

fn without_recent(line: &str) -> String {
    line.replace(" \\Recent", "").replace("(\\Recent", "(")
}

/// Passes over lines until this one comes.
async fn pass_to(
    stream: &mut BufReader<TcpStream>,
    expected: &str,
    names_recent: bool,
    words: &mut Words,
) -> Result<(), String> {
    loop {
        let mut heard = hear(stream).await?;
        if !names_recent {
            heard = without_recent(&heard);
        }
        if heard == "(closed)" {
            return Err(format!("{expected} did not come"));
        }
        if is_said(expected, &heard, words) {
            return Ok(());
        }
    }
}

/// Hears these lines in any order.
async fn hear_all(
    stream: &mut BufReader<TcpStream>,
    mut expected: Vec<&str>,
    names_recent: bool,
    words: &mut Words,
) -> Result<(), String> {
    while !expected.is_empty() {
        let mut heard = hear(stream).await?;
        if is_recent(&heard) && !names_recent {
            continue;
        }
        if !names_recent {
            heard = without_recent(&heard);
        }
        let found = expected.iter().position(|line| is_said(line, &heard, words));
        let Some(found) = found else {
            return Err(format!("none of {expected:?}\n   is {heard}"));
        };
        expected.remove(found);
    }
    Ok(())
}

async fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("connect"));
    hear(&mut stream).await.expect("a greeting");
    stream
}

async fn hear(stream: &mut BufReader<TcpStream>) -> Result<String, String> {
    let mut line = Vec::new();
    let deadline = std::time::Duration::from_secs(20);
    match tokio::time::timeout(deadline, stream.read_until(b'\n', &mut line)).await {
        Err(_) => return Err(format!("nothing within {deadline:?}")),
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(0)) => return Ok("(closed)".to_owned()),
        Ok(Ok(_)) => {}
    }
    let line = String::from_utf8_lossy(&line).into_owned();
    line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| format!("no CRLF after {line:?}"))
}

async fn direct(store: &TestStore, directive: &str, words: &mut Words) {
    let (verb, rest) = directive.split_once(' ').expect("a directive has arguments");
    match verb {
        "user" => {
            let name = unique(rest).replace('_', "-");
            store.create_user(&name).await;
            words.insert(rest.to_owned(), name);
        }
        "append" | "store" => {
            let mut parts = rest.split(' ');
            let (mailbox, last) = (parts.next().unwrap(), rest.rsplit(' ').next().unwrap());
            let flags = rest.find('(').zip(rest.rfind(')')).map_or("", |(a, b)| &rest[a..=b]);
            let octets = if verb == "append" {
                message(last)
            } else {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(last);
                with_crlf(&std::fs::read(path).expect("the message"))
            };
            let mut imap = store.imap(&words["user"]).await;
            let answer = imap.append(mailbox, &format!("{flags} "), &octets).await;
            assert!(answer.status.starts_with("OK"), "{directive}: {}", answer.status);
            within("logout", imap.command("LOGOUT")).await;
        }
        other => panic!("no directive `{other}`"),
    }
}

/// The length of the name at the start of the text, `*` included.
fn name_length(text: &str) -> usize {
    if text.starts_with('*') {
        return 1;
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len())
}

/// The text with bound names replaced.
fn replaced(text: &str, words: &Words) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let name = &rest[at + 1..at + 1 + name_length(&rest[at + 1..])];
        match words.get(name) {
            Some(value) => out.push_str(value),
            None => out.push_str(&rest[at..at + 1 + name.len()]),
        }
        rest = &rest[at + 1 + name.len()..];
    }
    out + rest
}

/// Whether the heard line is the expected one; binds new names when it is.
fn is_said(expected: &str, heard: &str, words: &mut Words) -> bool {
    let mut bound = words.clone();
    let is_same = matches(expected, heard, &mut bound);
    if is_same {
        *words = bound;
    }
    is_same
}

fn matches(expected: &str, heard: &str, words: &mut Words) -> bool {
    let mut dollars = expected.match_indices('$').map(|(at, _)| at);
    let Some(at) = dollars.find(|at| name_length(&expected[at + 1..]) > 0) else {
        return expected == heard;
    };
    let Some(heard) = heard.strip_prefix(&expected[..at]) else { return false };
    let length = name_length(&expected[at + 1..]);
    let (name, rest) = expected[at + 1..].split_at(length);
    if let Some(value) = words.get(name).cloned() {
        return heard.strip_prefix(&value).is_some_and(|heard| matches(rest, heard, words));
    }
    let ends: Vec<usize> = heard.char_indices().map(|(at, _)| at).chain([heard.len()]).collect();
    let is_word = |text: &str| !text.is_empty() && !text.contains([' ', '(', ')', '[', ']', '"']);
    for end in ends.into_iter().rev() {
        let (value, left) = heard.split_at(end);
        if name != "*" && !is_word(value) {
            continue;
        }
        let mut bound = words.clone();
        if name != "*" {
            bound.insert(name.to_owned(), value.to_owned());
        }
        if matches(rest, left, &mut bound) {
            *words = bound;
            return true;
        }
    }
    false
}

#[test]
fn a_line_binds_and_matches() {
    let mut words = Words::new();
    assert!(is_said(
        "* OK [UIDVALIDITY $uidvalidity] $*",
        "* OK [UIDVALIDITY 17] fine",
        &mut words
    ));
    assert_eq!(words["uidvalidity"], "17");
    assert!(!is_said("a OK [$uidvalidity]", "a OK [18]", &mut words));
    assert_eq!(replaced("b $uidvalidity $ $Junk", &words), "b 17 $ $Junk");
    assert!(is_said("* FLAGS ($Junk)", "* FLAGS ($Junk)", &mut words));
}
