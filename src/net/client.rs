//! Connections we open.

use super::stream::Stream;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

impl Stream {
    /// Connects, from `source` if one is given (it is of the same family).
    ///
    /// # Errors
    /// `TimedOut`, or what the socket says.
    pub async fn connect(
        address: SocketAddr,
        source: Option<IpAddr>,
        timeout: Duration,
    ) -> io::Result<Self> {
        let connecting = async {
            match source {
                None => TcpStream::connect(address).await,
                Some(source) => from_source(source)?.connect(address).await,
            }
        };
        let tcp = tokio::time::timeout(timeout, connecting)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))??;
        tcp.set_nodelay(true)?;
        Ok(Self::new(tcp, address))
    }
}

fn from_source(source: IpAddr) -> io::Result<TcpSocket> {
    let domain = if source.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    Ok(TcpSocket::from_std_stream(socket.into()))
}
