//! Reads the configuration: file, then environment, with mistakes said by file, line and nearest
//! key.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::Value;

use super::Config;

/// Keys outside a section that the environment may set; other `EIDER_X` variables are not
/// configuration.
const ROOT_KEYS: [&str; 3] = ["data_dir", "hostname", "roles"];
/// Keys that hold a list, so that `EIDER_IMAP__LISTEN=a:1,b:2` needs no brackets.
const LIST_KEYS: [&str; 13] = [
    "listen",
    "listen_tls",
    "roles",
    "plaintext_auth_from",
    "proxy_from",
    "xclient_from",
    "servers",
    "trusted",
    "refused",
    "exempt",
    "unchecked_listeners",
    "source_addresses",
    "allow_networks",
];
/// Keys that hold text even when it looks like a number, a boolean or a list.
const TEXT_KEYS: [&str; 8] =
    ["data_dir", "hostname", "uri", "database", "certificate", "key", "root_token", "level"];

/// Loads and validates the configuration.
///
/// # Errors
/// An unreadable file, an unknown key or a bad value, with the place of the mistake.
pub fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    let mut text = String::new();
    if let Some(path) = file {
        text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        figment = figment.merge(Toml::string(&text));
    }
    for (key, value) in Env::prefixed("EIDER_").iter() {
        let key = key.as_str().to_lowercase().replace("__", ".");
        if key.contains('.') || ROOT_KEYS.contains(&key.as_str()) {
            figment = figment.merge((key.clone(), environment_value(&key, &value)));
        }
    }
    let config: Config = figment.extract().map_err(|error| explain(error, file, &text))?;
    config.validate()?;
    Ok(config)
}

fn environment_value(key: &str, text: &str) -> Value {
    let leaf = key.rsplit('.').next().unwrap_or(key);
    let parse = |text: &str| match text.parse::<Value>() {
        Ok(value) => value,
        Err(never) => match never {},
    };
    if LIST_KEYS.contains(&leaf) && !text.trim_start().starts_with('[') {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        return Value::from(items.map(str::to_owned).collect::<Vec<_>>());
    }
    if TEXT_KEYS.contains(&leaf) {
        return Value::from(text);
    }
    // Numbers and booleans as such; what looks like nothing else is text.
    parse(text)
}

/// One mistake in words: where, which key, and the nearest known one.
fn explain(error: figment::Error, file: Option<&Path>, text: &str) -> anyhow::Error {
    let Some(first) = error.into_iter().next() else { return anyhow!("the configuration is bad") };
    // An item of a list is found by the list's key
    let is_index = |step: &&String| step.parse::<usize>().is_ok();
    let steps = first.path.len() - first.path.iter().rev().take_while(is_index).count();
    let path = first.path.iter().take(steps).cloned().collect::<Vec<_>>().join(".");
    let (key, what) = match &first.kind {
        Kind::UnknownField(name, known) => {
            let near = nearest(name, known);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            (name.clone(), format!("unknown key `{name}`{hint}"))
        }
        kind => (path.rsplit('.').next().unwrap_or_default().to_owned(), kind.to_string()),
    };
    let section = match &first.kind {
        Kind::UnknownField(..) => path.trim_end_matches(&key).trim_end_matches('.').to_owned(),
        _ => path.rsplit_once('.').map_or_else(String::new, |(section, _)| section.to_owned()),
    };
    let place = match (file, line_of(text, &section, &key)) {
        (Some(file), Some(line)) => format!("{}:{line}: ", file.display()),
        // Without a key it is the file's grammar, and the parser tells the line
        (Some(file), None) if key.is_empty() => format!("{}: ", file.display()),
        _ if key.is_empty() => String::new(),
        _ => format!("environment, EIDER_{}: ", env_name(&section, &key)),
    };
    let dot = if section.is_empty() { "" } else { "." };
    match &first.kind {
        Kind::UnknownField(..) if section.is_empty() => anyhow!("{place}{what}"),
        Kind::UnknownField(..) => anyhow!("{place}{what} in [{section}]"),
        _ if key.is_empty() => anyhow!("{place}{what}"),
        _ => anyhow!("{place}{section}{dot}{key}: {what}"),
    }
}

fn env_name(section: &str, key: &str) -> String {
    let name = if section.is_empty() { key.to_owned() } else { format!("{section}__{key}") };
    name.to_uppercase()
}

/// The line of a key in a TOML text, from 1.
fn line_of(text: &str, section: &str, key: &str) -> Option<usize> {
    let mut current = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            current = name.trim().to_owned();
            if section.is_empty() && current == key {
                return Some(index + 1);
            }
        }
        let name = line.split('=').next().unwrap_or_default().trim().trim_matches('"');
        let full = if current.is_empty() { name.to_owned() } else { format!("{current}.{name}") };
        let wanted = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
        if line.contains('=') && full == wanted {
            return Some(index + 1);
        }
    }
    None
}

/// The known key with the fewest edits, if it is near enough to be meant.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distances = known.iter().map(|key| (edits(name, key), *key));
    distances.min().filter(|(distance, _)| *distance <= 3).map(|(_, key)| key)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, (y, pair)) in b.iter().zip(row.windows(2)).enumerate() {
            let (diagonal, above) = match pair {
                [diagonal, above] => (*diagonal, *above),
                _ => continue,
            };
            let left = next.get(j).copied().unwrap_or(i + 1);
            next.push((diagonal + usize::from(x != *y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(text: &str) -> String {
        let path = std::env::temp_dir().join(format!("eider-config-{}.toml", edits(text, "")));
        std::fs::write(&path, text).unwrap();
        let message = load(Some(&path)).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        message
    }

    #[test]
    fn mistakes_name_line_and_nearest_key() {
        let message = failure("data_dir = \"x\"\n\n[imap]\nlissten = [\"127.0.0.1:1\"]\n");
        assert!(message.contains(".toml:4: unknown key `lissten`"), "{message}");
        assert!(message.contains("did you mean `listen`?"), "{message}");
        let message = failure("[storge]\nuri = \"x\"\n");
        assert!(message.contains(":1:") && message.contains("`storage`"), "{message}");
        let message = failure("[api]\naccess_control = 7\n");
        assert!(message.contains(":2:"), "{message}");
        let message = failure("[imap]\n\nplaintext_auth_from = [\"10.0.0.0/99\"]\n");
        assert!(message.contains(".toml:3: imap.plaintext_auth_from: "), "{message}");
        let message = failure("[imap\nlisten = 1\n");
        assert!(message.starts_with("/") && message.contains(".toml: "), "{message}");
        assert!(message.contains("line 1"), "{message}");
    }

    #[test]
    fn text_from_the_environment_may_look_like_a_number() {
        assert_eq!(environment_value("api.root_token", "12345").as_str(), Some("12345"));
        assert_eq!(environment_value("storage.database", "true").as_str(), Some("true"));
        assert_eq!(environment_value("api.token_ttl_s", "60"), Value::from(60_u64));
    }

    #[test]
    fn lists_from_the_environment_need_no_brackets() {
        let value = environment_value("imap.listen", "127.0.0.1:0, [::1]:0");
        assert_eq!(value, Value::from(vec!["127.0.0.1:0".to_owned(), "[::1]:0".to_owned()]));
        assert_eq!(environment_value("roles", "[\"imap\"]").as_str(), None);
    }
}
