//! The PROXY protocol, versions 1 and 2: a load balancer tells whose connection it brings
//! (HAProxy's proxy-protocol.txt §2).
//!
//! Only from networks that are trusted, and from those always: a receiver must not guess.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The first octets of version 2; they are no line of any protocol.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Octets of a header of version 1, with its CRLF.
const LINE_OCTETS_MAX: usize = 107;
/// Octets behind the length of a header of version 2 that we read.
const BLOCK_OCTETS_MAX: u16 = 4096;

/// Reads the header and nothing behind it. `None`: the proxy speaks for itself, as health checks do.
///
/// # Errors
/// What comes is no header.
pub async fn read_header<R: AsyncRead + Unpin>(socket: &mut R) -> io::Result<Option<SocketAddr>> {
    // the shortest header, `PROXY UNKNOWN\r\n`, is longer
    let mut start = [0; SIGNATURE.len()];
    socket.read_exact(&mut start).await?;
    if start == *SIGNATURE {
        return read_block(socket).await;
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE_OCTETS_MAX || !line.starts_with(b"PROXY ") {
            return Err(invalid());
        }
        line.push(socket.read_u8().await?);
    }
    parse_line(&line)
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a PROXY header")
}

/// `PROXY TCP4 source destination source-port destination-port` (§2.1)
fn parse_line(line: &[u8]) -> io::Result<Option<SocketAddr>> {
    let text = std::str::from_utf8(line).map_err(|_| invalid())?;
    let words: Vec<&str> = text.trim_end_matches("\r\n").split(' ').collect();
    match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Ok(None),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, port, to] => {
            let address: IpAddr = source.parse().map_err(|_| invalid())?;
            let own: IpAddr = destination.parse().map_err(|_| invalid())?;
            let port: u16 = port.parse().map_err(|_| invalid())?;
            let _to: u16 = to.parse().map_err(|_| invalid())?;
            let is_v4 = *family == "TCP4";
            if address.is_ipv4() != is_v4 || own.is_ipv4() != is_v4 {
                return Err(invalid());
            }
            Ok(Some(SocketAddr::new(address, port)))
        }
        _ => Err(invalid()),
    }
}

/// What follows the signature: version and command, family, length, addresses (§2.2).
async fn read_block<R: AsyncRead + Unpin>(socket: &mut R) -> io::Result<Option<SocketAddr>> {
    let (command, family) = (socket.read_u8().await?, socket.read_u8().await?);
    let octets = socket.read_u16().await?;
    if octets > BLOCK_OCTETS_MAX {
        return Err(invalid());
    }
    let mut block = vec![0; usize::from(octets)];
    socket.read_exact(&mut block).await?;
    match command {
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(invalid()),
    }
    match (family, block.as_slice()) {
        // source, destination, their ports
        (0x11, [a, b, c, d, _, _, _, _, high, low, _, _, ..]) => {
            let port = u16::from_be_bytes([*high, *low]);
            Ok(Some(SocketAddr::from(([*a, *b, *c, *d], port))))
        }
        (0x21, block) => {
            let source = block.first_chunk::<16>().ok_or_else(invalid)?;
            let ports = block.get(32..34).ok_or_else(invalid)?;
            let port = ports.iter().fold(0, |port: u16, octet| port << 8 | u16::from(*octet));
            Ok(Some(SocketAddr::new(Ipv6Addr::from(*source).into(), port)))
        }
        // other families are connections without an address for us
        (0x11, _) => Err(invalid()),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(octets: &[u8]) -> (Result<Option<String>, io::ErrorKind>, Vec<u8>) {
        let mut rest = octets;
        let read = read_header(&mut rest).await;
        let read = read.map(|peer| peer.map(|peer| peer.to_string()));
        (read.map_err(|error| error.kind()), rest.to_vec())
    }

    fn block(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, addresses].concat()
    }

    #[tokio::test]
    async fn good_headers() {
        let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0x30, 0x39, 0, 25, 3, 0, 1, 0];
        let mut v6 = [0; 36];
        v6[15] = 1;
        v6[32..34].copy_from_slice(&[0x30, 0x39]);
        let cases = [
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 12345 25\r\n".to_vec(), Some("192.0.2.1:12345")),
            (b"PROXY TCP6 2001:db8::1 ::1 12345 25\r\n".to_vec(), Some("[2001:db8::1]:12345")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ff ff 1 2\r\n".to_vec(), None),
            (block(0x21, 0x11, &v4), Some("192.0.2.1:12345")),
            (block(0x21, 0x21, &v6), Some("[::1]:12345")),
            (block(0x20, 0x00, b""), None),
            (block(0x21, 0x31, &[0; 216]), None),
        ];
        for (header, peer) in cases {
            let input = [header.as_slice(), b"EHLO x\r\n"].concat();
            let (read, rest) = read(&input).await;
            assert_eq!(read, Ok(peer.map(str::to_owned)), "{header:?}");
            assert_eq!(rest, b"EHLO x\r\n", "nothing behind it is read");
        }
    }

    #[tokio::test]
    async fn bad_headers() {
        let long = [b"PROXY ".as_slice(), &[b'x'; 200], b"\r\n"].concat();
        let cases = [
            b"EHLO client.example\r\n".to_vec(),
            b"PROXY TCP4 ::1 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 10.0.0.1 123456 25\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 10.0.0.1 1\r\n".to_vec(),
            b"PROXY TCP5 192.0.2.1 10.0.0.1 1 2\r\n".to_vec(),
            long,
            block(0x11, 0x11, &[0; 12]),
            block(0x21, 0x11, &[0; 11]),
            block(0x21, 0x21, &[0; 33]),
            block(0x21, 0x11, &[0; 5000]),
        ];
        for header in cases {
            assert_eq!(read(&header).await.0, Err(io::ErrorKind::InvalidData), "{header:?}");
        }
        assert_eq!(read(b"PROXY").await.0, Err(io::ErrorKind::UnexpectedEof));
    }
}
