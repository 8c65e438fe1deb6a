//! A thin HTTP client: one connection a request.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

pub struct ApiClient {
    address: SocketAddr,
    token: Option<String>,
}

impl ApiClient {
    pub fn new(address: SocketAddr, token: Option<&str>) -> Self {
        Self { address, token: token.map(str::to_owned) }
    }

    /// Octets out, and all that comes back.
    pub async fn exchange(&self, request: &[u8]) -> Vec<u8> {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.expect("connect to the API");
            stream.write_all(request).await.expect("write");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("read");
            answer
        };
        within("an HTTP answer", exchange).await
    }

    /// A request; status and body octets.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
    ) -> (u16, Vec<u8>) {
        let token = self.token.as_ref();
        let token = token.map_or_else(String::new, |t| format!("X-Access-Token: {t}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{token}Connection: close\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = self.exchange(&[head.as_bytes(), body].concat()).await;
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a header") + 4;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let body = answer[end..].to_vec();
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        (status, if chunked { unchunked(&body) } else { body })
    }

    async fn json(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, body) = self.raw(method, path, "application/json", text.as_bytes()).await;
        let value = serde_json::from_slice(&body)
            .unwrap_or_else(|_| panic!("{path}: no JSON: {}", String::from_utf8_lossy(&body)));
        (status, value)
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.json("GET", path, &Value::Null).await
    }
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.json("POST", path, body).await
    }
    pub async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.json("PUT", path, body).await
    }
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.json("DELETE", path, &Value::Null).await
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = body.windows(2).position(|w| w == b"\r\n") {
        let size = std::str::from_utf8(&body[..end]).unwrap();
        let octets = usize::from_str_radix(size.trim(), 16).unwrap();
        if octets == 0 {
            break;
        }
        out.extend_from_slice(&body[end + 2..end + 2 + octets]);
        body = &body[end + 4 + octets..];
    }
    out
}
