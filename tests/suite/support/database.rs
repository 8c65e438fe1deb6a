//! A relay before the database that notes the commands sent to it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::store::database_uri;

/// OP_MSG of MongoDB's wire protocol.
const OP_MSG: u32 = 2013;
/// A string, as BSON names types.
const STRING: u8 = 2;

/// A relay; ends with the test's runtime.
pub struct Relay {
    /// The database's URI, by way of the relay.
    pub uri: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// Relays to the database of the tests, which must be one host without TLS.
    pub async fn start() -> Self {
        let uri = database_uri();
        let (_, rest) = uri.split_once("://").unwrap();
        let host = rest.split(['/', '?']).next().unwrap().rsplit('@').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().to_string();
        let uri = uri.replacen(&host, &own, 1);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&host).await.expect("connect to the database");
                let ((near_in, mut near_out), (mut far_in, far_out)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(forward(near_in, far_out, Arc::clone(&notes)));
                tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
            }
        });
        Self { uri, seen }
    }

    /// The commands since the last call, as `find messages`, in order.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Hands messages on, one by one; ends with either side.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    seen: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    loop {
        let mut message = vec![0; 16];
        from.read_exact(&mut message).await?;
        let octets = u32::from_le_bytes(message[..4].try_into().unwrap());
        message.resize(octets.try_into().unwrap(), 0);
        from.read_exact(&mut message[16..]).await?;
        if let Some(command) = command(&message) {
            seen.lock().unwrap().push(command);
        }
        to.write_all(&message).await?;
    }
}

/// Name and collection: the first element of the first section's document, if it is a string.
fn command(message: &[u8]) -> Option<String> {
    let (code, body) = (u32::from_le_bytes(message[12..16].try_into().unwrap()), &message[20..]);
    // kind of section, length of document, type of element
    if code != OP_MSG || body[0] != 0 || body[5] != STRING {
        return None;
    }
    let end = body[6..].iter().position(|octet| *octet == 0)? + 6;
    let value = &body[end + 5..];
    let value = &value[..value.iter().position(|octet| *octet == 0)?];
    Some(format!("{} {}", String::from_utf8_lossy(&body[6..end]), String::from_utf8_lossy(value)))
}
