//! The test messages of `shared/corpus`, with CRLF line ends, and a small set of our own.

use std::path::{Path, PathBuf};

/// One message.
pub struct Sample {
    pub name: String,
    pub octets: Vec<u8>,
}

/// The corpus beside the clone, or `$EIDER_CORPUS`; it may be missing.
pub fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    std::env::var_os("EIDER_CORPUS").map_or_else(beside, PathBuf::from)
}

/// Every message of the corpus beside the clone, or of `$EIDER_CORPUS`; at least the built-in ones.
pub fn samples() -> Vec<Sample> {
    let mut paths = Vec::new();
    files(&folder(), &mut paths);
    paths.sort();
    let read = |path: PathBuf| Sample {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        octets: with_crlf(&std::fs::read(&path).unwrap()),
    };
    let mut samples: Vec<Sample> = paths.into_iter().map(read).collect();
    samples.extend(real_mail());
    samples.extend(built_in());
    samples
}

/// Real messages of the SpamAssassin corpus taken for a run.
const REAL_MAIL: usize = 1000;

/// An even choice of `$EIDER_TEST_SPAMASSASSIN`, which `scripts/test` sets; each without its mbox "From " line.
fn real_mail() -> Vec<Sample> {
    let Some(folder) = std::env::var_os("EIDER_TEST_SPAMASSASSIN") else { return Vec::new() };
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    let step = (paths.len() / REAL_MAIL).max(1);
    let read = |path: PathBuf| {
        let octets = std::fs::read(&path).unwrap();
        let line = octets.iter().position(|octet| *octet == b'\n').map_or(0, |at| at + 1);
        let message = if octets.starts_with(b"From ") { &octets[line..] } else { &octets };
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        Sample { name, octets: with_crlf(message) }
    };
    paths.into_iter().step_by(step).take(REAL_MAIL).map(read).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.file_name().is_some_and(|name| name != "README.md") {
            found.push(path);
        }
    }
}

/// Bare LF becomes CRLF, as any sender does; what has CRLF keeps it. Ends with CRLF.
pub fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 40);
    let mut last = 0;
    for &octet in octets {
        if octet == b'\n' && last != b'\r' {
            out.push(b'\r');
        } else if octet != b'\n' && last == b'\r' {
            // a bare CR would be refused by SMTP (RFC 5321 §2.3.8)
            out.push(b'\n');
        }
        out.push(octet);
        last = octet;
    }
    if last == b'\r' {
        out.push(b'\n');
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A plain message with a subject.
pub fn message(subject: &str) -> Vec<u8> {
    format!(
        "From: Sender <sender@example.org>\r\nTo: user@example.com\r\nSubject: {subject}\r\n\
         Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{subject}@example.org>\r\n\r\n\
         Body of {subject}.\r\n.leading dot\r\n"
    )
    .into_bytes()
}

/// A message with a base64 attachment of the given decoded octets.
pub fn with_attachment(subject: &str, decoded: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(decoded);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(
        "From: sender@example.org\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=frontier\r\n\r\n--frontier\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\nSee attachment.\r\n--frontier\r\n\
         Content-Type: application/octet-stream; name=data.bin\r\n\
         Content-Disposition: attachment; filename=data.bin\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--frontier--\r\n",
        lines.join("\r\n")
    )
    .into_bytes()
}

fn built_in() -> Vec<Sample> {
    let data: Vec<u8> =
        (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    vec![
        Sample { name: "plain".into(), octets: message("plain") },
        Sample { name: "attachment".into(), octets: with_attachment("attachment", &data) },
        Sample { name: "only a line".into(), octets: b"\r\n".to_vec() },
        Sample { name: "no header end".into(), octets: b"Subject: x\r\n".to_vec() },
        Sample { name: "no header".into(), octets: b"just text\r\n\r\nmore\r\n".to_vec() },
    ]
}
