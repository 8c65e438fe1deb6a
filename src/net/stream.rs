//! A connection: buffered reads and writes, deadlines, octet counters, TLS in place.
//!
//! While a connection waits for its client it owns no buffers: input is read through a scratch area
//! on the
//! stack and only then copied to the heap, so that an idle connection costs its task and TLS state
//! alone.

use super::deflate::Deflate;
use super::tls::TlsAcceptor;
use super::tls_client::{TlsClient, Trust};
use bytes::{Buf, BytesMut};
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// Octets read at once.
const READ_OCTETS: usize = 32 * 1024;
/// Octets of output kept before they are written.
const OUTPUT_OCTETS: usize = 16 * 1024;
/// Capacity of the output buffer that is kept between flushes.
const OUTPUT_KEPT_OCTETS: usize = 1024;
/// Time a client has to take what one flush writes, per 64 KiB.
const WRITE_TIMEOUT: Duration = Duration::from_secs(120);
/// Time and octets a client has between our last reply and its close.
const LINGER_TIMEOUT: Duration = Duration::from_millis(500);
const LINGER_OCTETS_MAX: usize = 1024 * 1024;

enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Between the two, and after a failed handshake.
    Closed,
}

/// One connection of a client.
pub struct Stream {
    socket: Socket,
    input: BytesMut,
    output: Vec<u8>,
    /// Between the socket and the buffers, once agreed.
    deflate: Option<Box<Deflate>>,
    peer: SocketAddr,
    local: Option<SocketAddr>,
    /// The digest of our certificate, with TLS.
    end_point: Option<Arc<[u8]>>,
    octets_in: u64,
    octets_out: u64,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("peer", &self.peer)
            .field("is_tls", &self.is_tls())
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// A plaintext connection.
    pub fn new(tcp: TcpStream, peer: SocketAddr) -> Self {
        Self {
            local: tcp.local_addr().ok(),
            end_point: None,
            socket: Socket::Plain(tcp),
            input: BytesMut::new(),
            output: Vec::new(),
            deflate: None,
            peer,
            octets_in: 0,
            octets_out: 0,
        }
    }

    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Our address that the client connected to.
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Takes another address for the client's: somebody who is trusted has told it.
    pub fn set_peer(&mut self, peer: SocketAddr) {
        self.peer = peer;
    }

    /// Whether TLS is in force.
    pub fn is_tls(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    /// Whether both directions are compressed.
    pub fn is_compressed(&self) -> bool {
        self.deflate.is_some()
    }

    /// Compresses both directions from now on (RFC 4978 §3): flush what is to be plain before.
    pub fn start_deflate(&mut self) {
        self.deflate = Some(Box::default());
    }

    /// TLS version and cipher for the log and the Received line; `None` without TLS.
    pub fn tls_description(&self) -> Option<String> {
        let Socket::Tls(tls) = &self.socket else { return None };
        let (_, connection) = tls.get_ref();
        let version = connection.protocol_version()?;
        let suite = connection.negotiated_cipher_suite()?.suite();
        Some(format!("{version:?} {suite:?}"))
    }

    /// What a login can be bound to: type and data (RFC 5929, RFC 9266); nothing without TLS.
    pub fn channel_bindings(&self) -> Vec<(&'static str, Vec<u8>)> {
        let Socket::Tls(tls) = &self.socket else { return Vec::new() };
        let TlsStream::Server(tls) = tls.as_ref() else { return Vec::new() };
        let (_, connection) = tls.get_ref();
        let mut bindings = Vec::new();
        // RFC 9266 §4.2: before TLS 1.3 it is not unique without more
        let is_unique = connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        let exported =
            connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]));
        if let Ok(exported) = exported
            && is_unique
        {
            bindings.push(("tls-exporter", exported.to_vec()));
        }
        if let Some(end_point) = &self.end_point {
            bindings.push(("tls-server-end-point", end_point.to_vec()));
        }
        bindings
    }

    /// Octets received (inside TLS).
    pub fn octets_in(&self) -> u64 {
        self.octets_in
    }

    /// Octets sent (inside TLS).
    pub fn octets_out(&self) -> u64 {
        self.octets_out
    }

    /// What has been read and not consumed.
    pub fn buffer(&self) -> &[u8] {
        &self.input
    }

    /// Drops the first octets of the buffer; more than there are: all.
    pub fn consume(&mut self, octets: usize) {
        self.input.advance(octets.min(self.input.len()));
    }

    /// Takes the first octets out of the buffer without copying; more than there are: all.
    pub fn take(&mut self, octets: usize) -> BytesMut {
        self.input.split_to(octets.min(self.input.len()))
    }

    /// Waits for input and adds it to the buffer. Returns the octets added; 0 when the client has
    /// closed.
    /// Safe to drop while it waits. The caller bounds the buffer by consuming or refusing.
    ///
    /// # Errors
    /// `TimedOut` when nothing came in time; otherwise what the socket says.
    pub async fn fill(&mut self, timeout: Duration) -> io::Result<usize> {
        let read = std::future::poll_fn(|cx| self.poll_fill(cx));
        tokio::time::timeout(timeout, read).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            if let Some(deflate) = &mut self.deflate {
                let octets = deflate.inflate(&mut self.input)?;
                if octets > 0 {
                    self.octets_in += octets as u64;
                    return Poll::Ready(Ok(octets));
                }
            }
            let octets = std::task::ready!(self.poll_read(cx))?;
            // compressed octets may amount to none yet
            if octets == 0 || self.deflate.is_none() {
                self.octets_in += octets as u64;
                return Poll::Ready(Ok(octets));
            }
        }
    }

    /// Reads from the socket into the input, or into the decompressor before it.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = [const { MaybeUninit::<u8>::uninit() }; READ_OCTETS];
        let mut read = ReadBuf::uninit(&mut scratch);
        let polled = match &mut self.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_read(cx, &mut read),
            Socket::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, &mut read),
            Socket::Closed => return Poll::Ready(Ok(0)),
        };
        match polled {
            Poll::Pending => {
                if self.input.is_empty() {
                    self.input = BytesMut::new();
                }
                if self.output.is_empty() {
                    self.output = Vec::new();
                }
                if let Some(deflate) = &mut self.deflate {
                    deflate.rest();
                }
                return Poll::Pending;
            }
            // A peer that closes TCP without close_notify has closed; framing above finds cut
            // messages.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Poll::Ready(Ok(0));
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {}
        }
        let octets = read.filled();
        match &mut self.deflate {
            Some(deflate) => deflate.feed(octets),
            None => self.input.extend_from_slice(octets),
        }
        Poll::Ready(Ok(octets.len()))
    }

    /// Adds octets to the output without writing; for short replies, followed by `flush`.
    pub fn push(&mut self, octets: &[u8]) {
        self.output.extend_from_slice(octets);
    }

    /// The output buffer, for writers that append to a `Vec`; follow with `flush_if_full` or
    /// `flush`.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Adds octets to the output and writes when much has gathered; large slices are not copied.
    ///
    /// # Errors
    /// As `flush`.
    pub async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        if octets.len() < OUTPUT_OCTETS {
            self.output.extend_from_slice(octets);
            return self.flush_if_full().await;
        }
        self.write_output().await?;
        // The deadline is for each piece: a slow but living client may take a large message.
        for piece in octets.chunks(64 * 1024) {
            self.write_piece(piece).await?;
        }
        Ok(())
    }

    async fn write_piece(&mut self, piece: &[u8]) -> io::Result<()> {
        match &mut self.deflate {
            None => write_all(&mut self.socket, piece).await?,
            Some(deflate) => {
                let mut packed = Vec::new();
                deflate.deflate(piece, &mut packed)?;
                write_all(&mut self.socket, &packed).await?;
            }
        }
        self.octets_out += piece.len() as u64;
        Ok(())
    }

    /// Writes the output if much has gathered.
    ///
    /// # Errors
    /// As `flush`.
    pub async fn flush_if_full(&mut self) -> io::Result<()> {
        if self.output.len() >= OUTPUT_OCTETS { self.write_output().await } else { Ok(()) }
    }

    /// Writes all output.
    ///
    /// # Errors
    /// `TimedOut` when the client does not take it in time; otherwise what the socket says.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.write_output().await?;
        if let Some(deflate) = &mut self.deflate {
            let mut packed = Vec::new();
            deflate.flush(&mut packed)?;
            write_all(&mut self.socket, &packed).await?;
        }
        match &mut self.socket {
            // TCP has no buffer of its own; TLS may hold the end of a record.
            Socket::Plain(_) | Socket::Closed => Ok(()),
            Socket::Tls(tls) => tokio::time::timeout(WRITE_TIMEOUT, tls.flush())
                .await
                .map_err(|_| io::ErrorKind::TimedOut)?,
        }
    }

    async fn write_output(&mut self) -> io::Result<()> {
        let mut output = std::mem::take(&mut self.output);
        for piece in output.chunks(64 * 1024) {
            self.write_piece(piece).await?;
        }
        output.clear();
        output.shrink_to(OUTPUT_KEPT_OCTETS);
        self.output = output;
        Ok(())
    }

    /// Turns the connection into TLS. What the client sent in plaintext and is still in the buffer
    /// is discarded:
    /// it must not be taken for a command of the protected session (RFC 3207 §4.2, RFC 9051
    /// §6.2.1).
    ///
    /// # Errors
    /// The handshake failed or took too long (the connection is closed), or TLS is in force
    /// already.
    pub async fn start_tls(&mut self, acceptor: &TlsAcceptor, timeout: Duration) -> io::Result<()> {
        self.flush().await?;
        self.input = BytesMut::new();
        let Socket::Plain(tcp) = std::mem::replace(&mut self.socket, Socket::Closed) else {
            return Err(io::Error::other("TLS is already in force"));
        };
        let (tls, end_point) = tokio::time::timeout(timeout, acceptor.accept(tcp))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
        self.socket = Socket::Tls(Box::new(tls.into()));
        self.end_point = end_point;
        Ok(())
    }

    /// The same from the client's side: the server's name is asked for, and it is trusted or not.
    ///
    /// # Errors
    /// As above.
    pub async fn start_client_tls(
        &mut self,
        client: &TlsClient,
        host: &str,
        trust: &Trust,
        timeout: Duration,
    ) -> io::Result<()> {
        self.flush().await?;
        self.input = BytesMut::new();
        let Socket::Plain(tcp) = std::mem::replace(&mut self.socket, Socket::Closed) else {
            return Err(io::Error::other("TLS is already in force"));
        };
        let tls = tokio::time::timeout(timeout, client.connect(tcp, host, trust))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
        self.socket = Socket::Tls(Box::new(tls.into()));
        Ok(())
    }

    /// Writes what is left and closes; errors no longer matter. Waits a moment for the client to
    /// close too: input
    /// that is left unread would make the kernel reset the connection, and the last reply might be
    /// lost.
    pub async fn close(&mut self) {
        let _ignored = self.flush().await;
        self.input = BytesMut::new();
        let closing = async {
            let shut = match &mut self.socket {
                Socket::Plain(tcp) => tcp.shutdown().await,
                Socket::Tls(tls) => tls.shutdown().await,
                Socket::Closed => return,
            };
            let mut left = LINGER_OCTETS_MAX;
            while shut.is_ok() && left > 0 {
                match std::future::poll_fn(|cx| self.poll_fill(cx)).await {
                    Ok(octets) if octets > 0 => left = left.saturating_sub(octets),
                    _ => break,
                }
                self.input.clear();
            }
        };
        let _ignored = tokio::time::timeout(LINGER_TIMEOUT, closing).await;
        self.socket = Socket::Closed;
    }
}

async fn write_all(socket: &mut Socket, octets: &[u8]) -> io::Result<()> {
    let writing = std::future::poll_fn({
        let mut rest = octets;
        move |cx| {
            while !rest.is_empty() {
                let polled = match socket {
                    Socket::Plain(tcp) => Pin::new(tcp).poll_write(cx, rest),
                    Socket::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, rest),
                    Socket::Closed => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
                };
                match polled {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    Poll::Ready(Ok(written)) => rest = rest.get(written..).unwrap_or_default(),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                }
            }
            Poll::Ready(Ok(()))
        }
    });
    tokio::time::timeout(WRITE_TIMEOUT, writing).await.map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests;
