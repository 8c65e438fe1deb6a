//! Spam: Rspamd over HTTP (`POST /checkv2`).

use super::settings::RspamdSettings;
use crate::codec::milter::field;
use crate::net::tls::install_provider;
use bytes::Bytes;
use reqwest::Client;
use serde::Deserialize;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Octets of an answer.
const ANSWER_OCTETS_MAX: usize = 1024 * 1024;
/// Recipients that are named to it.
const RECIPIENTS_MAX: usize = 100;

/// What it is told besides the content.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub(super) peer: IpAddr,
    /// The client's proven name.
    pub(super) hostname: Option<String>,
    pub(super) helo: String,
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
    pub(super) id: String,
}

/// What it says.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) struct Opinion {
    /// `no action`, `greylist`, `add header`, `rewrite subject`, `soft reject`, `reject`.
    pub(super) action: String,
    #[serde(default)]
    pub(super) score: f64,
    #[serde(default)]
    pub(super) required_score: f64,
    #[serde(default)]
    pub(super) symbols: HashMap<String, serde::de::IgnoredAny>,
    #[serde(default)]
    pub(super) messages: HashMap<String, serde_json::Value>,
}

impl Opinion {
    /// The fields that Rspamd's own proxies write; delivery reads the first.
    pub(super) fn lines(&self) -> Vec<u8> {
        let mut names: Vec<&str> = self.symbols.keys().map(String::as_str).collect();
        names.sort_unstable();
        names.truncate(100);
        let mut lines = field("X-Rspamd-Action", self.action.as_bytes());
        let score = format!("{:.2} / {:.2}", self.score, self.required_score);
        lines.extend(field("X-Rspamd-Score", score.as_bytes()));
        lines.extend(field("X-Rspamd-Symbols", names.join("\n\t").as_bytes()));
        lines
    }

    /// Its words for the client, if it has any.
    pub(super) fn words(&self) -> Option<String> {
        let text = self.messages.get("smtp_message")?.as_str()?;
        Some(text.chars().filter(|c| !c.is_control()).take(200).collect())
    }
}

/// A client without redirects and proxies: Rspamd is beside us. `None` is told in the log, and is
/// as if Rspamd were away.
pub(super) fn client() -> Option<Client> {
    install_provider();
    let built = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    built.inspect_err(|error| tracing::error!(%error, "Rspamd cannot be asked")).ok()
}

/// Asks.
///
/// # Errors
/// It is away, does not answer in time, or says something else.
pub(super) async fn check(
    client: &Client,
    settings: &RspamdSettings,
    envelope: &Envelope,
    content: Bytes,
) -> io::Result<Opinion> {
    let url = format!("{}/checkv2", settings.url.trim_end_matches('/'));
    let mut request = client
        .post(url)
        .timeout(Duration::from_millis(settings.timeout_ms))
        .header("IP", envelope.peer.to_string())
        .header("Helo", header_value(&envelope.helo))
        .header("From", header_value(&format!("<{}>", envelope.sender)))
        .header("Queue-Id", header_value(&envelope.id));
    if let Some(name) = &envelope.hostname {
        request = request.header("Hostname", header_value(name));
    }
    for recipient in envelope.recipients.iter().take(RECIPIENTS_MAX) {
        request = request.header("Rcpt", header_value(&format!("<{recipient}>")));
    }
    let mut response = request
        .body(content)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(io::Error::other)?;
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(io::Error::other)? {
        answer.extend_from_slice(&chunk);
        if answer.len() > ANSWER_OCTETS_MAX {
            return Err(io::Error::other("the answer is too long"));
        }
    }
    serde_json::from_slice(&answer).map_err(io::Error::other)
}

/// Strangers chose it: nothing that ends a header.
fn header_value(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opinions_are_read_and_written() {
        let text = r#"{"is_skipped": false, "score": 7.1, "required_score": 15.0,
            "action": "add header", "symbols": {"B_X": {"score": 1}, "A_Y": {}},
            "messages": {"smtp_message": "Try\r\nlater"}}"#;
        let opinion: Opinion = serde_json::from_str(text).unwrap();
        let expected = "X-Rspamd-Action: add header\r\nX-Rspamd-Score: 7.10 / 15.00\r\n\
                        X-Rspamd-Symbols: A_Y\r\n\tB_X\r\n";
        assert_eq!(String::from_utf8(opinion.lines()).unwrap(), expected);
        assert_eq!(opinion.words().unwrap(), "Trylater");
        let short: Opinion = serde_json::from_str(r#"{"action": "no action"}"#).unwrap();
        assert_eq!(short.words(), None);
        assert!(serde_json::from_str::<Opinion>("{}").is_err());
    }
}
