//! A thin POP3 client.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::within;

pub struct Pop3Client {
    stream: BufReader<TcpStream>,
}

impl Pop3Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("connect to POP3");
        let mut client = Self { stream: BufReader::new(stream) };
        let greeting = client.line().await;
        assert!(greeting.starts_with(b"+OK"), "{greeting:?}");
        client
    }

    /// One line with its end; empty when the server closed.
    pub async fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        let _ = within("a POP3 line", self.stream.read_until(b'\n', &mut line)).await;
        line
    }

    pub async fn send(&mut self, octets: &[u8]) {
        let _ = self.stream.get_mut().write_all(octets).await;
    }

    /// A command and the first line of its reply, without line end.
    pub async fn command(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        String::from_utf8_lossy(&self.line().await).trim_end().to_owned()
    }

    /// A command that must succeed.
    pub async fn ok(&mut self, line: &str) -> String {
        let reply = self.command(line).await;
        assert!(reply.starts_with("+OK"), "{line}: {reply}");
        reply
    }

    /// A command with a reply of several lines: the text, dots undone.
    pub async fn text(&mut self, line: &str) -> Vec<u8> {
        self.ok(line).await;
        let mut text = Vec::new();
        loop {
            let line = self.line().await;
            assert!(!line.is_empty(), "closed in the middle of a text");
            if line == b".\r\n" {
                return text;
            }
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    pub async fn log_in(&mut self, name: &str, password: &str) -> String {
        self.ok(&format!("USER {name}")).await;
        self.command(&format!("PASS {password}")).await
    }

    /// Logs in again and again on new connections until it succeeds: a session that broke gives the
    /// maildrop back when its node has noticed.
    pub async fn open(address: SocketAddr, name: &str, password: &str) -> Self {
        within("the maildrop", async {
            loop {
                let mut client = Self::connect(address).await;
                let reply = client.log_in(name, password).await;
                if reply.starts_with("+OK") {
                    return client;
                }
                assert!(reply.contains("[IN-USE]"), "{reply}");
            }
        })
        .await
    }
}
