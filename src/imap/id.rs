//! ID (RFC 2971).

use super::reply::{Outcome, Reply};
use super::session::Session;

/// Fields of the client that are worth a place in the session's last line of the log.
const LOGGED: [&str; 4] = ["name", "version", "os", "os-version"];
/// Characters of them.
const LOGGED_CHARS_MAX: usize = 200;

impl Session {
    /// ID: what the client says of itself is for the log only.
    pub fn id(&mut self, client: &[(String, Option<String>)]) -> Outcome {
        self.client = Some(for_the_log(client)).filter(|text| !text.is_empty()).map(Into::into);
        // RFC 2971 §4: the version is not told, it would only help attackers
        self.writer().id(&[("name", "Eider")]);
        Ok(Reply::ok("Pleased to meet you"))
    }
}

/// The values of the logged fields, one line of bounded length.
fn for_the_log(client: &[(String, Option<String>)]) -> String {
    let of = |name: &str| client.iter().find(|field| field.0.eq_ignore_ascii_case(name));
    let values = LOGGED.iter().filter_map(|name| of(name)?.1.as_deref());
    let words: Vec<&str> = values.collect();
    let text = words.join(" ");
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(LOGGED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_gets_one_short_line() {
        let field = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let client = [field("VERSION", "1.2"), field("secret", "x"), field("name", "a\r\nb")];
        assert_eq!(for_the_log(&client), "a??b 1.2");
        assert_eq!(for_the_log(&[field("os", &"y".repeat(5000))]).len(), LOGGED_CHARS_MAX);
        assert_eq!(for_the_log(&[("name".into(), None)]), "");
    }
}
