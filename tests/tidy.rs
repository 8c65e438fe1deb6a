//! The rules of the house, executed: who may know whom, sizes, headings, forbidden words.
//!
//! Reads the source as text; needs nothing. A rule that is broken is printed with file and line.

#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules and their ranks: a module may use modules of a lower rank only.
const RANKS: &[(&str, u8)] = &[
    ("model", 0),
    ("clock", 0),
    ("telemetry", 0),
    ("tasks", 0),
    ("codec", 1),
    ("net", 1),
    ("spool", 1),
    ("encryption", 2),
    ("storage", 2),
    ("mailstore", 3),
    ("auth", 3),
    ("cluster", 3),
    ("trace", 3),
    ("directory", 4),
    ("queue", 4),
    ("delivery", 5),
    ("screening", 5),
    ("imap", 6),
    ("pop3", 6),
    ("smtp", 6),
    ("api", 6),
    ("jobs", 6),
    ("mta", 6),
    ("config", 7),
    ("server", 8),
    ("cli", 9),
];

/// Outside crates that only the named modules may name.
const CRATES: &[(&str, &[&str])] = &[
    ("mongodb", &["storage"]),
    ("bson", &["storage"]),
    ("axum", &["api"]),
    ("tower_http", &["api"]),
    ("utoipa", &["api"]),
    ("utoipa_axum", &["api"]),
    ("utoipa_swagger_ui", &["api"]),
    ("rustls", &["net", "main"]),
    ("rcgen", &["net"]),
    ("argon2", &["auth"]),
    ("bcrypt", &["auth"]),
    ("figment", &["config"]),
    ("clap", &["cli", "main"]),
    ("anyhow", &["cli", "server", "config", "main"]),
    ("mail_parser", &["codec"]),
    ("mail_auth", &["delivery", "directory", "mta", "net", "screening"]),
    ("hickory_resolver", &["net"]),
    ("mail_builder", &["codec"]),
];

/// Lower modules that some higher ones must not use although the rank would allow it.
const DENIED: &[(&str, &str, &str)] = &[
    ("imap", "storage", "a door asks an operation, never storage"),
    ("pop3", "storage", "a door asks an operation, never storage"),
    ("smtp", "storage", "a door asks an operation, never storage"),
    ("api", "storage", "a door asks an operation, never storage"),
    ("jobs", "storage", "a job asks an operation, never storage"),
    ("mta", "storage", "a door asks an operation, never storage"),
    ("codec", "clock", "the codec is pure"),
    ("codec", "telemetry", "the codec is pure"),
];

/// Files that may be longer than 500 lines without tests, with the reason. May only shrink.
const LONG_FILES: &[(&str, &str)] = &[];

const FILE_LINES_MAX: usize = 500;
const TEST_FILE_LINES_MAX: usize = 800;
const LINE_CHARS_MAX: usize = 120;

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

struct Source {
    /// Path below the package, with `/`.
    path: String,
    text: String,
}

fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    rust_files(&root.join(folder), &mut paths);
    assert!(!paths.is_empty(), "no Rust files below {folder}");
    let read = |path: PathBuf| Source {
        path: path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"),
        text: fs::read_to_string(&path).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

impl Source {
    /// The top-level module the file belongs to.
    fn module(&self) -> &str {
        let inner = self.path.strip_prefix("src/").unwrap();
        inner.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Whether the file holds only tests.
    fn is_test_file(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
            || self.path.contains("/tests/")
    }

    /// The lines in front of the file's test module, numbered from 1.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.take_while(|(_, line)| *line != "#[cfg(test)]")
    }
}

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

fn report(broken: &[String]) {
    assert!(broken.is_empty(), "{} places:\n{}", broken.len(), broken.join("\n"));
}

/// Every `crate::name` in a line of code.
fn used_modules(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("crate::") {
        rest = &rest[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split('}').next().unwrap_or(list);
            found.extend(list.split(',').map(|item| first_word(item.trim())));
        } else {
            found.push(first_word(rest));
        }
    }
    found
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn modules_use_lower_ranks_only() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let module = source.module().to_owned();
        if matches!(module.as_str(), "lib" | "main") || source.is_test_file() {
            continue;
        }
        let Some(own) = rank(&module) else {
            broken.push(format!("{}: `{module}` has no rank in tests/tidy.rs", source.path));
            continue;
        };
        for (number, line) in source.code_lines() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for used in used_modules(line) {
                let Some(other) = rank(&used) else { continue };
                let place = format!("{}:{number}", source.path);
                if used != module && other >= own {
                    broken.push(format!(
                        "{place}: `{module}` may not use `{used}`: not a lower rank"
                    ));
                }
                let denial = DENIED.iter().find(|(a, b, _)| *a == module && *b == used);
                if let Some((_, _, reason)) = denial {
                    broken.push(format!("{place}: `{module}` may not use `{used}`: {reason}"));
                }
            }
        }
    }
    report(&broken);
}

#[test]
fn outside_crates_are_named_by_their_owners_only() {
    let mut broken = Vec::new();
    for source in sources("src") {
        let module = source.module();
        if source.is_test_file() {
            continue;
        }
        for (number, line) in source.code_lines() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            for (name, owners) in CRATES {
                let named = code.starts_with(&format!("use {name}::"))
                    || code.contains(&format!("{name}::"))
                        && !code.contains(&format!("::{name}::"))
                        && code.split(&format!("{name}::")).next().is_some_and(|before| {
                            !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                        });
                if named && !owners.contains(&module) {
                    broken.push(format!("{}:{number}: only {owners:?} name `{name}`", source.path));
                }
            }
        }
    }
    report(&broken);
}

#[test]
fn files_say_what_they_are_and_stay_short() {
    let mut broken = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        if !source.text.starts_with("//!") {
            broken.push(format!("{}: opens without a `//!` heading", source.path));
        }
        let (lines, max) = if source.is_test_file() {
            (source.text.lines().count(), TEST_FILE_LINES_MAX)
        } else {
            (source.code_lines().count(), FILE_LINES_MAX)
        };
        let excused = LONG_FILES.iter().any(|(path, _)| *path == source.path);
        if lines > max && !excused {
            broken.push(format!("{}: {lines} lines, at most {max}", source.path));
        }
        for (number, line) in source.text.lines().enumerate() {
            if line.chars().count() > LINE_CHARS_MAX {
                broken.push(format!(
                    "{}:{}: over {LINE_CHARS_MAX} characters",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    report(&broken);
}

#[test]
fn nothing_is_stubbed_or_ignored() {
    // Written apart so that this file does not find itself.
    let forbidden = [
        (concat!("todo", "!("), "unfinished code is absent, not stubbed"),
        (concat!("unimplemented", "!("), "unfinished code is absent, not stubbed"),
        (concat!("#[", "ignore"), "no test is ignored"),
        (concat!("#[", "allow("), "use #[expect(…, reason = …)]"),
    ];
    let mut broken = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        for (number, line) in source.text.lines().enumerate() {
            for (word, reason) in forbidden {
                if line.contains(word) {
                    broken.push(format!("{}:{}: `{word}`: {reason}", source.path, number + 1));
                }
            }
        }
    }
    report(&broken);
}

#[test]
fn every_module_is_on_the_map() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for line in map.lines().filter_map(|line| line.strip_prefix("pub mod ")) {
        let module = line.trim_end_matches(';');
        assert!(map.contains(&format!("[`{module}`]")), "src/lib.rs: `{module}` is not on the map");
        assert!(rank(module).is_some(), "tests/tidy.rs: `{module}` has no rank");
    }
}
