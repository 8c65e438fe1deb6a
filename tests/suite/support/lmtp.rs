//! A thin client of LMTP, and of SMTP.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::within;

pub struct LmtpClient {
    stream: BufReader<TcpStream>,
}

/// Dot transparency (RFC 5321 §4.5.2) and the end of data.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 16);
    let mut at_line_start = true;
    for (index, octet) in message.iter().enumerate() {
        if at_line_start && *octet == b'.' {
            out.push(b'.');
        }
        out.push(*octet);
        at_line_start = *octet == b'\n' && index > 0 && message[index - 1] == b'\r';
    }
    if !message.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

impl LmtpClient {
    /// A client that has heard nothing yet.
    pub async fn connect_any(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connect");
        Self { stream: BufReader::new(stream) }
    }

    /// A client that was greeted.
    pub async fn open(address: SocketAddr) -> Self {
        Self::open_with(address, b"").await
    }

    /// The same, having said something first, as load balancers do.
    pub async fn open_with(address: SocketAddr, first: &[u8]) -> Self {
        let mut client = Self::connect_any(address).await;
        client.send(first).await;
        let greeting = client.reply().await;
        assert!(greeting.starts_with("220"), "{greeting}");
        client
    }

    pub async fn connect(address: SocketAddr) -> Self {
        let mut client = Self::open(address).await;
        let features = client.command("LHLO client.example.com").await;
        assert!(features.starts_with("250"), "{features}");
        client
    }

    /// One reply, its lines joined.
    pub async fn reply(&mut self) -> String {
        within("an LMTP reply", self.try_reply()).await.expect("the server closed")
    }

    /// One reply; `None` when the server closed.
    pub async fn try_reply(&mut self) -> Option<String> {
        let mut whole = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            whole.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return Some(whole);
            }
        }
    }

    pub async fn send(&mut self, octets: &[u8]) {
        // A server that was killed resets the connection; the missing reply tells.
        let _ = self.stream.get_mut().write_all(octets).await;
    }

    pub async fn command(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// Delivers to recipients; one reply for each that was accepted, refused ones at their place.
    pub async fn deliver(&mut self, to: &[&str], message: &[u8]) -> Vec<String> {
        let mail = self.command("MAIL FROM:<sender@example.org>").await;
        assert!(mail.starts_with("250"), "{mail}");
        let mut replies = Vec::new();
        for recipient in to {
            replies.push(self.command(&format!("RCPT TO:<{recipient}>")).await);
        }
        if !replies.iter().any(|reply| reply.starts_with("250")) {
            self.command("RSET").await;
            return replies;
        }
        let go = self.command("DATA").await;
        assert!(go.starts_with("354"), "{go}");
        self.send(&stuffed(message)).await;
        for reply in replies.iter_mut().filter(|reply| reply.starts_with("250")) {
            *reply = self.reply().await;
        }
        replies
    }

    /// Delivers to one recipient; `None` when the server went away before its answer.
    pub async fn try_deliver(&mut self, to: &str, message: &[u8]) -> Option<String> {
        for line in ["MAIL FROM:<sender@example.org>".to_owned(), format!("RCPT TO:<{to}>")] {
            self.send(format!("{line}\r\n").as_bytes()).await;
            let reply = self.try_reply().await?;
            if !reply.starts_with("250") {
                return Some(reply);
            }
        }
        self.send(b"DATA\r\n").await;
        self.try_reply().await?;
        self.send(&stuffed(message)).await;
        self.try_reply().await
    }
}
