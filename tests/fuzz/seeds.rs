//! The seeds: files of `tests/fuzz/seeds/<target>`, what clients say in the golden transcripts, and
//! messages of the corpus beside the clone.

use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
    found.sort();
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read_all(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    files(folder, &mut paths);
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The files of a target; line ends are CRLF, whatever an editor made of them.
pub fn folder(target: &str) -> Vec<Vec<u8>> {
    let read = read_all(&root().join("tests/fuzz/seeds").join(target));
    read.iter().map(|octets| with_crlf(octets)).collect()
}

fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let text: Vec<&[u8]> = octets.split(|octet| *octet == b'\n').collect();
    let lines = text.iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.collect::<Vec<_>>().join(&b"\r\n"[..])
}

/// Whole conversations, and their commands one by one.
pub fn imap() -> Vec<Vec<u8>> {
    let mut seeds = folder("imap");
    for octets in seeds.clone() {
        seeds.extend(octets.split(|octet| *octet == b'\n').map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            [line, b"\r\n"].concat()
        }));
    }
    for transcript in read_all(&root().join("tests/golden/imap")) {
        let text = String::from_utf8_lossy(&transcript).into_owned();
        let mut said = String::new();
        for line in text.lines().filter(|line| line.starts_with('C')) {
            let Some((who, rest)) = line.split_once([':', '>']) else { continue };
            let end = if line.as_bytes()[who.len()] == b':' { "\r\n" } else { "" };
            said.push_str(rest.strip_prefix(' ').unwrap_or(rest));
            said.push_str(end);
        }
        seeds.push(said.into_bytes());
    }
    seeds.retain(|seed| seed.len() > 2);
    seeds
}

/// Messages of at most 8 KiB.
pub fn mime() -> Vec<Vec<u8>> {
    let mut seeds = folder("mime");
    seeds.extend(read_all(&root().join("../shared/corpus")));
    seeds.extend(read_all(&root().join("tests/golden/mime")));
    seeds.retain(|seed| seed.len() <= 8 * 1024);
    seeds
}
