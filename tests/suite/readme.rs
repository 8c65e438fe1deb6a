//! The README against the code: settings, files it names, RFCs that have transcripts.

use std::collections::BTreeSet;
use std::path::Path;

use eider::config::Config;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// What stands between back quotes.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_setting_is_in_the_table() {
    let text = readme();
    let known = quoted(&text);
    let settings = serde_json::to_value(Config::default()).unwrap();
    let mut missing = Vec::new();
    for (section, value) in settings.as_object().unwrap() {
        match value.as_object() {
            None => missing.extend((!known.contains(section.as_str())).then(|| section.clone())),
            Some(keys) => missing.extend(
                keys.keys().map(|key| format!("{section}.{key}")).filter(|k| !known.contains(&**k)),
            ),
        }
    }
    assert!(missing.is_empty(), "not in the README: {missing:?}");
}

#[test]
fn what_it_names_exists() {
    let text = readme();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["tests/", "src/", "scripts/", "api-spec/"];
    let is_path = |word: &&&str| places.iter().any(|place| word.starts_with(place));
    let words = quoted(&text);
    let gone: Vec<&str> = words
        .iter()
        .filter(is_path)
        .map(|word| word.split([' ', '*']).next().unwrap())
        .filter(|path| !root.join(path).exists())
        .collect();
    assert!(gone.is_empty(), "the README names what is not there: {gone:?}");
}

#[test]
fn every_rfc_with_a_transcript_is_in_the_table() {
    let text = readme();
    let numbers: BTreeSet<&str> = text.split(|c: char| !c.is_ascii_digit()).collect();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut missing = BTreeSet::new();
    for door in ["imap", "imap-limited", "pop3", "smtp", "submission"] {
        for entry in std::fs::read_dir(golden.join(door)).unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(rest) = name.strip_prefix("rfc") else { continue };
            let number = rest.split('-').next().unwrap().to_owned();
            if !numbers.contains(number.as_str()) {
                missing.insert(number);
            }
        }
    }
    assert!(missing.is_empty(), "RFCs with transcripts, not in the README: {missing:?}");
}
