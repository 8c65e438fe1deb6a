//! A thin IMAP client: sends lines, returns answers as octets with literals in place.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::within;

pub struct ImapClient {
    stream: BufReader<TcpStream>,
    next_tag: u32,
}

/// Everything a command was answered with.
pub struct Answer {
    /// Untagged responses, each with its literals and without the final CRLF.
    pub untagged: Vec<Vec<u8>>,
    /// The tagged line after the tag: `OK …`.
    pub status: String,
}

impl Answer {
    /// The untagged responses as text.
    pub fn lines(&self) -> Vec<String> {
        self.untagged.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    /// The first untagged response that contains the text.
    pub fn find(&self, text: &str) -> Option<String> {
        self.lines().into_iter().find(|line| line.contains(text))
    }

    /// The first literal of the first FETCH response.
    pub fn literal(&self) -> Option<Vec<u8>> {
        self.untagged.iter().find_map(|line| literal(line))
    }
}

/// The first literal of a response.
pub fn literal(line: &[u8]) -> Option<Vec<u8>> {
    let open = line.iter().position(|octet| *octet == b'{')?;
    let close = open + line[open..].windows(3).position(|w| w == b"}\r\n")?;
    let octets: usize = std::str::from_utf8(&line[open + 1..close]).ok()?.parse().ok()?;
    Some(line[close + 3..close + 3 + octets].to_vec())
}

impl ImapClient {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connect to IMAP");
        let mut client = Self { stream: BufReader::new(stream), next_tag: 0 };
        let greeting = client.response().await;
        assert!(greeting.starts_with(b"* OK"), "{}", String::from_utf8_lossy(&greeting));
        client
    }

    /// One response line with its literals, without the final CRLF.
    pub async fn response(&mut self) -> Vec<u8> {
        within("an IMAP response", self.read_response()).await
    }

    async fn read_response(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        loop {
            let start = whole.len();
            let read = self.stream.read_until(b'\n', &mut whole).await.expect("read");
            assert!(read > 0, "the server closed after {:?}", String::from_utf8_lossy(&whole));
            assert!(whole.ends_with(b"\r\n"), "lines end with CRLF");
            let Some(octets) = announced(&whole[start..]) else {
                whole.truncate(whole.len() - 2);
                return whole;
            };
            let at = whole.len();
            whole.resize(at + octets, 0);
            self.stream.read_exact(&mut whole[at..]).await.expect("read a literal");
        }
    }

    /// Sends octets as they are.
    pub async fn send(&mut self, octets: &[u8]) {
        self.stream.get_mut().write_all(octets).await.expect("write");
    }

    /// Sends a command and returns its tag.
    pub async fn start(&mut self, command: &str) -> String {
        self.next_tag += 1;
        let tag = format!("t{}", self.next_tag);
        self.send(format!("{tag} {command}\r\n").as_bytes()).await;
        tag
    }

    /// Reads until the tagged answer.
    pub async fn finish(&mut self, tag: &str) -> Answer {
        let mut untagged = Vec::new();
        let prefix = format!("{tag} ");
        loop {
            let line = self.response().await;
            if line.starts_with(prefix.as_bytes()) {
                let status = String::from_utf8_lossy(&line[prefix.len()..]).into_owned();
                return Answer { untagged, status };
            }
            untagged.push(line);
        }
    }

    /// A command and its answer.
    pub async fn command(&mut self, command: &str) -> Answer {
        let tag = self.start(command).await;
        self.finish(&tag).await
    }

    /// A command that must be answered OK.
    pub async fn ok(&mut self, command: &str) -> Answer {
        let answer = self.command(command).await;
        assert!(answer.status.starts_with("OK"), "{command}: {}", answer.status);
        answer
    }

    /// A command that must be answered with these words.
    pub async fn refused(&mut self, command: &str, words: &str) -> Answer {
        let answer = self.command(command).await;
        assert!(answer.status.starts_with(words), "{command}: {}", answer.status);
        answer
    }

    /// APPEND with a non-synchronising literal.
    pub async fn append(&mut self, mailbox: &str, options: &str, message: &[u8]) -> Answer {
        self.next_tag += 1;
        let tag = format!("t{}", self.next_tag);
        let line = format!("{tag} APPEND {mailbox} {options}{{{}+}}\r\n", message.len());
        self.send(line.as_bytes()).await;
        self.send(message).await;
        self.send(b"\r\n").await;
        self.finish(&tag).await
    }

    /// The octets of `BODY.PEEK[]` of a UID.
    pub async fn body(&mut self, uid: u32) -> Vec<u8> {
        let answer = self.ok(&format!("UID FETCH {uid} BODY.PEEK[]")).await;
        answer.literal().unwrap_or_else(|| panic!("no body for UID {uid}: {:?}", answer.lines()))
    }
}

/// The octets of the literal a line ends with, if it does.
fn announced(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let open = line.iter().rposition(|octet| *octet == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}
