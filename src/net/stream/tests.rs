//! Streams and listeners over the loopback interface.

use crate::net::listener::{Listener, Permits, serve};
use crate::net::stream::Stream;
use crate::net::tls::{TlsAcceptor, certified_key, self_signed, server_config};
use crate::tasks::Tasks;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SECOND: Duration = Duration::from_secs(5);

struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        let name = format!("eider-net-{:016x}", rand::random::<u64>());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ignored = std::fs::remove_dir_all(&self.0);
    }
}

fn tls(dir: &TempDir) -> (TlsAcceptor, tokio_rustls::TlsConnector) {
    let files = self_signed(&dir.0).unwrap();
    let again = self_signed(&dir.0).unwrap();
    assert_eq!(files, again);
    let own = certified_key(&files.certificate, &files.key).unwrap();
    let acceptor = TlsAcceptor::new(server_config(own).unwrap());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.0.join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (acceptor, Arc::new(client).into())
}

/// Echoes lines; `TLS` starts TLS.
async fn echo(mut stream: Stream, acceptor: Option<TlsAcceptor>) {
    loop {
        let Some(end) = stream.buffer().iter().position(|octet| *octet == b'\n') else {
            match stream.fill(SECOND).await {
                Ok(octets) if octets > 0 => continue,
                _ => return stream.close().await,
            }
        };
        let line = stream.take(end + 1);
        stream.write(&line).await.unwrap();
        if line.as_ref() == b"TLS\n" {
            stream.start_tls(acceptor.as_ref().unwrap(), SECOND).await.unwrap();
            assert!(stream.is_tls() && stream.tls_description().is_some());
            assert!(stream.buffer().is_empty());
        }
        stream.flush().await.unwrap();
    }
}

#[tokio::test]
async fn start_tls_discards_what_was_injected() {
    let dir = TempDir::new();
    let (acceptor, connector) = tls(&dir);
    let tasks = Tasks::new();
    let listener = Listener::bind("127.0.0.1:0", None).unwrap();
    let address = listener.local_addr().unwrap();
    serve("test", vec![listener], Permits::new(10, b"no\r\n"), &tasks, move |stream| {
        echo(stream, Some(acceptor.clone()))
    });
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(b"a\nTLS\ninjected\n").await.unwrap();
    let mut answer = [0; 6];
    tcp.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"a\nTLS\n");
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let mut tls = connector.connect(name, tcp).await.unwrap();
    let mut long = vec![b'x'; 100_000];
    long.push(b'\n');
    let (mut reader, mut writer) = tokio::io::split(&mut tls);
    let mut answer = vec![0; long.len()];
    let (written, read) = tokio::join!(writer.write_all(&long), reader.read_exact(&mut answer));
    assert!(written.is_ok() && read.is_ok());
    assert_eq!(answer, long);
    tls.shutdown().await.unwrap();
    drop(tls);
    assert_eq!(tasks.shutdown(SECOND).await, 0);
    assert_eq!(tasks.panics(), 0);
}

#[tokio::test]
async fn one_too_many_is_told_so() {
    let tasks = Tasks::new();
    let listener = Listener::bind("127.0.0.1:0", None).unwrap();
    let address = listener.local_addr().unwrap();
    serve("test", vec![listener], Permits::new(1, b"no\r\n"), &tasks, |stream| echo(stream, None));
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"a\n").await.unwrap();
    first.read_exact(&mut [0; 2]).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();
    second.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "no\r\n");
    drop(first);
    // The permit comes back when the first has closed.
    let deadline = tokio::time::Instant::now() + SECOND;
    loop {
        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(b"b\n").await.unwrap();
        let mut answer = [0; 2];
        if third.read_exact(&mut answer).await.is_ok() && &answer == b"b\n" {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline);
    }
    assert_eq!(tasks.shutdown(SECOND).await, 0);
}

#[tokio::test]
async fn silence_is_noticed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (tcp, peer) = listener.accept().await.unwrap();
    let mut stream = Stream::new(tcp, peer);
    let error = stream.fill(Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn the_key_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new();
    let files = self_signed(&dir.0).unwrap();
    assert_eq!(std::fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(certified_key(&files.key, &files.key).is_err());
    assert!(certified_key(&dir.0.join("none"), &files.key).is_err());
}
