//! A web server that keeps what it was asked, and answers as it was told.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Heads and bodies of requests.
pub type Requests = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// The server; it ends when this is dropped.
pub struct WebServer {
    pub port: u16,
    requests: Requests,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WebServer {
    /// Answers with these codes one after the other, then 200, and with this text.
    pub async fn start(tls: Option<TlsAcceptor>, codes: &'static [u16], text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Requests::default();
        let (seen, text) = (Arc::clone(&requests), text.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                match &tls {
                    None => serve(tcp, &seen, codes, &text).await,
                    Some(tls) => match tls.accept(tcp).await {
                        Ok(stream) => serve(stream, &seen, codes, &text).await,
                        Err(_) => continue,
                    },
                }
            }
        });
        Self { port, requests, task }
    }

    pub fn requests(&self) -> Vec<(String, Vec<u8>)> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: &Requests,
    codes: &[u16],
    text: &str,
) {
    let mut stream = BufReader::new(stream);
    let (mut head, mut octets) = (String::new(), 0);
    loop {
        let start = head.len();
        if !stream.read_line(&mut head).await.is_ok_and(|octets| octets > 2) {
            break;
        }
        let line = head[start..].to_ascii_lowercase();
        if let Some(length) = line.strip_prefix("content-length:") {
            octets = length.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; octets];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push((head, body));
        seen.len() - 1
    };
    let code = codes.get(number).copied().unwrap_or(200);
    let octets = text.len();
    let answer = format!("HTTP/1.1 {code} x\r\nContent-Length: {octets}\r\n\r\n{text}");
    let _ = stream.get_mut().write_all(answer.as_bytes()).await;
    let _ = stream.get_mut().shutdown().await;
}
