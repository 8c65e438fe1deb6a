//! Identifiers of stored objects.
//!
//! Twelve octets, shown as 24 lowercase hex digits, as the HTTP API and the database show them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

/// An identifier of one kind of object; `K` only keeps kinds apart at compile time.
pub struct Id<K> {
    octets: [u8; 12],
    kind: PhantomData<fn() -> K>,
}

/// Marker kinds for [`Id`].
pub mod kind {
    /// A user.
    pub enum User {}
    /// A mailbox.
    pub enum Mailbox {}
    /// A message in a mailbox.
    pub enum Message {}
    /// An address.
    pub enum Address {}
    /// A thread of messages.
    pub enum Thread {}
    /// Any other stored object.
    pub enum Object {}
}

/// A user's identifier.
pub type UserId = Id<kind::User>;
/// A mailbox's identifier; also its OBJECTID `MAILBOXID` (RFC 8474 §4.1).
pub type MailboxId = Id<kind::Mailbox>;
/// One message in one mailbox.
pub type MessageId = Id<kind::Message>;
/// An address record's identifier.
pub type AddressId = Id<kind::Address>;
/// A thread's identifier; OBJECTID `THREADID` (RFC 8474 §5.2).
pub type ThreadId = Id<kind::Thread>;
/// The identifier of an object without a kind of its own.
pub type ObjectId = Id<kind::Object>;

impl<K> Id<K> {
    /// The identifier with these octets.
    pub const fn from_octets(octets: [u8; 12]) -> Self {
        Self { octets, kind: PhantomData }
    }

    /// The twelve octets.
    pub const fn octets(&self) -> [u8; 12] {
        self.octets
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets
    }
}
impl<K> Eq for Id<K> {}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.octets.hash(state);
    }
}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.octets.cmp(&other.octets)
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K> Id<K> {
    /// A number made of the identifier: for X-GM-THRID, the same on every node and for ever.
    pub fn number(&self) -> u64 {
        number(&self.octets)
    }
}

/// 63 bits, never zero: Gmail's clients keep them in signed numbers. FNV-1a, because the octets
/// of an identifier may share their beginning.
fn number(octets: &[u8]) -> u64 {
    let mix = |hash: u64, octet: &u8| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
    let hash = octets.iter().fold(0xcbf2_9ce4_8422_2325, mix);
    (hash >> 1).max(1)
}

/// The text is not 24 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 24 hexadecimal digits")]
pub struct InvalidId;

impl<K> FromStr for Id<K> {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let digits: &[u8; 24] = text.as_bytes().try_into().map_err(|_| InvalidId)?;
        let mut octets = [0u8; 12];
        for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
            *octet = hex_pair(pair).ok_or(InvalidId)?;
        }
        Ok(Self::from_octets(octets))
    }
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let mut value = 0u32;
    for digit in pair {
        value = value * 16 + char::from(*digit).to_digit(16)?;
    }
    u8::try_from(value).ok()
}

/// BLAKE3 of a message's octets: the content's identity and OBJECTID `EMAILID` (RFC 8474 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// A number made of the hash: for X-GM-MSGID, the same for every copy.
    pub fn number(&self) -> u64 {
        number(&self.0)
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}
impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_and_are_positive() {
        let ids =
            (0..=255).map(|last| UserId::from_octets([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, last]));
        let numbers: std::collections::BTreeSet<u64> = ids.map(|id| id.number()).collect();
        assert_eq!(numbers.len(), 256);
        assert!(numbers.iter().all(|number| *number > 0 && *number < 1 << 63));
        assert_eq!(ContentHash([0; 32]).number(), ContentHash([0; 32]).number());
    }

    #[test]
    fn id_round_trips_through_text() {
        let id: UserId = "0123456789abcdef01234567".parse().unwrap();
        assert_eq!(id.to_string(), "0123456789abcdef01234567");
        assert_eq!("0123".parse::<UserId>(), Err(InvalidId));
        assert_eq!("0123456789abcdef0123456g".parse::<UserId>(), Err(InvalidId));
        assert_eq!("+123456789abcdef01234567".parse::<UserId>(), Err(InvalidId));
    }
}
