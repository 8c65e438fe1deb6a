//! A connection to a service beside us, by TCP or a socket file. Knows no protocol.

use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Both kinds of connection.
pub trait Connection: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Connection for T {}

/// Whether that is an address: `host:port`, or the path of a socket from `/` on.
pub fn is_address(address: &str) -> bool {
    let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    address.starts_with('/') || port.is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

/// Connects to such an address.
///
/// # Errors
/// Nobody is there, or does not answer in time.
pub async fn connect(address: &str, timeout: Duration) -> io::Result<Box<dyn Connection>> {
    let connecting = async {
        let connection: Box<dyn Connection> = if address.starts_with('/') {
            Box::new(UnixStream::connect(Path::new(address)).await?)
        } else {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        };
        Ok(connection)
    };
    tokio::time::timeout(timeout, connecting).await.map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["127.0.0.1:3310", "[::1]:3310", "clamd:3310", "/run/clamav/clamd.ctl"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["", "clamd", ":3310", "run/clamd", "a:b", "a:99999"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
