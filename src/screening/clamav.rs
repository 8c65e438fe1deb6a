//! Viruses: clamd's INSTREAM command (clamd(8)).

use super::settings::ClamavSettings;
use crate::net::service::connect;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Octets of one chunk.
const CHUNK_OCTETS: usize = 64 * 1024;
/// Octets of an answer.
const ANSWER_OCTETS_MAX: u64 = 4096;

/// Whether there is a virus, and which.
///
/// # Errors
/// clamd is away, does not answer in time, or could not scan.
pub(super) async fn scan(settings: &ClamavSettings, content: &[u8]) -> io::Result<Option<String>> {
    let timeout = Duration::from_millis(settings.timeout_ms);
    let asked = tokio::time::timeout(timeout, ask(&settings.address, timeout, content));
    let answer = asked.await.map_err(|_| io::ErrorKind::TimedOut)??;
    read(&answer)
}

async fn ask(address: &str, timeout: Duration, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut connection = connect(address, timeout).await?;
    let sent = async {
        connection.write_all(b"zINSTREAM\0").await?;
        for chunk in content.chunks(CHUNK_OCTETS) {
            let octets = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            connection.write_all(&octets.to_be_bytes()).await?;
            connection.write_all(chunk).await?;
        }
        connection.write_all(&0_u32.to_be_bytes()).await?;
        connection.flush().await
    };
    // It may answer and close before it has read all: the answer says why
    let sent: io::Result<()> = sent.await;
    let mut answer = Vec::new();
    let got = connection.take(ANSWER_OCTETS_MAX).read_to_end(&mut answer).await;
    if answer.is_empty() {
        sent?;
        got?;
    }
    Ok(answer)
}

/// `stream: OK`, `stream: NAME FOUND`, or an error.
fn read(answer: &[u8]) -> io::Result<Option<String>> {
    let text = String::from_utf8_lossy(answer);
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    let verdict = text.strip_prefix("stream: ").unwrap_or(text);
    if verdict == "OK" {
        return Ok(None);
    }
    match verdict.strip_suffix(" FOUND") {
        // It ends in a reply to the client
        Some(name) => Ok(Some(name.chars().filter(char::is_ascii_graphic).take(100).collect())),
        None => Err(io::Error::other(format!("clamd says {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert_eq!(read(b"stream: OK\0").unwrap(), None);
        let found = read(b"stream: Eicar-Test-Signature FOUND\0").unwrap();
        assert_eq!(found.as_deref(), Some("Eicar-Test-Signature"));
        for error in [&b"INSTREAM size limit exceeded. ERROR\0"[..], b"", b"stream: FOUND"] {
            assert!(read(error).is_err());
        }
    }
}
