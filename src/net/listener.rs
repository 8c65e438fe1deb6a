//! Binding and accepting: connection limit, back-off, implicit TLS. Knows no protocol.

use super::network::{Network, any_contains};
use super::proxy_protocol::read_header;
use super::stream::Stream;
use super::tls::TlsAcceptor;
use crate::tasks::Tasks;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Connections the kernel keeps for us until we accept them.
const BACKLOG: i32 = 1024;
/// Time a client has for its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time a load balancer has to say whose connection it brings.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time a client at the limit has to take the refusal.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle time before the kernel asks whether the peer still lives; finds peers that vanished.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// A bound socket, and whether TLS starts at once on it.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    /// Whose connections begin with a PROXY header.
    proxies: Arc<[Network]>,
}

impl Listener {
    /// Binds an address such as `127.0.0.1:1143` or `[::1]:0`; with `tls`, connections start with a
    /// handshake.
    ///
    /// # Errors
    /// The address does not parse, is in use, or may not be bound.
    pub fn bind(address: &str, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let address: SocketAddr = address.parse().map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{address} is not an address"))
        })?;
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
        // A restarted store binds its port while old connections linger in TIME_WAIT.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self { tcp: TcpListener::from_std(socket.into())?, tls, proxies: Arc::default() })
    }

    /// The same with load balancers in these networks, which say whose connections they bring.
    #[must_use]
    pub fn behind(self, proxies: &[Network]) -> Self {
        Self { proxies: proxies.into(), ..self }
    }

    /// The bound address, with the port that was given for port 0.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// The connections a door takes at the same time, and what it says to one too many.
#[derive(Clone, Debug)]
pub struct Permits {
    semaphore: Arc<Semaphore>,
    refusal: &'static [u8],
}

impl Permits {
    /// At most `connections_max` connections; others get `refusal` (a complete line) and are
    /// closed.
    pub fn new(connections_max: usize, refusal: &'static [u8]) -> Self {
        let bound = connections_max.clamp(1, Semaphore::MAX_PERMITS);
        Self { semaphore: Arc::new(Semaphore::new(bound)), refusal }
    }
}

/// Accepts connections on all listeners until the tasks stop; `handler` runs as a task per
/// connection.
pub fn serve<H, F>(
    name: &'static str,
    listeners: Vec<Listener>,
    permits: Permits,
    tasks: &Tasks,
    handler: H,
) where
    H: Fn(Stream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    for listener in listeners {
        let (permits, own, handler) = (permits.clone(), tasks.clone(), handler.clone());
        let stopping = tasks.stopping();
        tasks.spawn(name, async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = accept_all(name, listener, permits, own, handler) => {}
            }
        });
    }
}

async fn accept_all<H, F>(
    name: &'static str,
    listener: Listener,
    permits: Permits,
    tasks: Tasks,
    handler: H,
) where
    H: Fn(Stream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut pause = Duration::from_millis(5);
    loop {
        let (tcp, peer) = match listener.tcp.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors or memory: wait, or the loop burns a core until there are
                // some.
                tracing::warn!(door = name, %error, "accept failed");
                metrics::counter!("eider_accept_errors_total", "door" => name).increment(1);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
                continue;
            }
        };
        pause = Duration::from_millis(5);
        let Ok(permit) = Arc::clone(&permits.semaphore).try_acquire_owned() else {
            metrics::counter!("eider_connections_refused_total", "door" => name).increment(1);
            // Refusals are not tasks without bound: one at a time per listener, with a short
            // deadline.
            refuse(tcp, permits.refusal, listener.tls.is_some()).await;
            continue;
        };
        metrics::counter!("eider_connections_total", "door" => name).increment(1);
        let (tls, handler) = (listener.tls.clone(), handler.clone());
        let proxies = Arc::clone(&listener.proxies);
        tasks.spawn(name, async move {
            let _permit = permit;
            let _open = OpenGauge::new(name);
            // Boxed, so that the state of the handshake is not kept for the life of the connection.
            if let Some(stream) = Box::pin(start(tcp, peer, tls, &proxies)).await {
                Box::pin(handler(stream)).await;
            }
        });
    }
}

/// Counts a connection as open as long as it lives, even if its task panics.
struct OpenGauge {
    door: &'static str,
}

impl OpenGauge {
    fn new(door: &'static str) -> Self {
        metrics::gauge!("eider_connections_open", "door" => door).increment(1.0);
        Self { door }
    }
}

impl Drop for OpenGauge {
    fn drop(&mut self) {
        metrics::gauge!("eider_connections_open", "door" => self.door).decrement(1.0);
    }
}

async fn start(
    mut tcp: TcpStream,
    mut peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    proxies: &[Network],
) -> Option<Stream> {
    // Replies are flushed whole, so Nagle's wait would only delay them.
    let _ignored = tcp.set_nodelay(true);
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE);
    let _ignored = socket2::SockRef::from(&tcp).set_tcp_keepalive(&keepalive);
    if any_contains(proxies, peer.ip()) {
        let header = tokio::time::timeout(HEADER_TIMEOUT, read_header(&mut tcp)).await;
        match header.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(told) => peer = told.unwrap_or(peer),
            Err(error) => {
                tracing::warn!(%peer, %error, "a connection of a proxy without its header");
                return None;
            }
        }
    }
    let mut stream = Stream::new(tcp, peer);
    if let Some(acceptor) = tls
        && let Err(error) = stream.start_tls(&acceptor, HANDSHAKE_TIMEOUT).await
    {
        tracing::debug!(%peer, %error, "TLS handshake failed");
        metrics::counter!("eider_tls_handshake_errors_total").increment(1);
        return None;
    }
    Some(stream)
}

async fn refuse(mut tcp: TcpStream, refusal: &'static [u8], is_tls: bool) {
    if !is_tls {
        let _ignored = tokio::time::timeout(REFUSAL_TIMEOUT, async {
            tcp.write_all(refusal).await?;
            tcp.shutdown().await
        })
        .await;
    }
}
